"""What the books and the payments can disagree about: something that is not booked, and something that only is."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Concat

from orders.money import format_money
from orders.payments.models import (
    Account,
    AttemptState,
    EntryKind,
    IncidentKind,
    JournalEntry,
    PaymentAttempt,
    Posting,
    Refund,
    RefundState,
)
from orders.payments.reconciling.difference import Difference, Window

BOOK = "Book it."


def find_books_differences(window: Window) -> Iterator[Difference]:
    """Everything of the window that is booked wrongly, not at all, or for no reason."""
    span = Q(created_at__gte=window.since, created_at__lte=window.until)
    rest = Q(updated_at__lte=window.until)  # what has just moved is looked at the next time
    yield from find_captures_booked_wrongly(PaymentAttempt.objects.filter(span, rest))
    yield from find_refunds_booked_wrongly(Refund.objects.filter(span, rest))
    yield from find_entries_of_nothing(JournalEntry.objects.filter(span))


def find_booked_wrongly(reference: str) -> Iterator[Difference]:
    """What is wrong in the books about one payment or refund, by the provider's id."""
    yield from find_captures_booked_wrongly(PaymentAttempt.objects.filter(provider_ref=reference))
    yield from find_refunds_booked_wrongly(Refund.objects.filter(provider_ref=reference))
    named = JournalEntry.objects.filter(provider_ref__in=[reference, f"{reference}:returned"])
    yield from find_entries_of_nothing(named)


def find_captures_booked_wrongly(attempts: QuerySet[PaymentAttempt]) -> Iterator[Difference]:
    """Captured payments whose entry is missing, or says another amount."""
    booked = _booked(EntryKind.CAPTURE, OuterRef("provider_ref"), OuterRef("currency"))
    wrong = attempts.filter(state=AttemptState.SUCCEEDED).annotate(booked=Coalesce(Subquery(booked), 0))
    for attempt in wrong.exclude(booked=F("amount")).exclude(provider_ref="").order_by("pk"):
        yield _differs(
            attempt.provider_ref, attempt.order_id, attempt.amount, attempt.currency, attempt.booked
        )


def find_refunds_booked_wrongly(refunds: QuerySet[Refund]) -> Iterator[Difference]:
    """Refunds whose entry is missing, or says another amount. One that came back is booked a second time, negatively."""
    booked = _booked(EntryKind.REFUND, OuterRef("provider_ref"), OuterRef("currency"))
    back = _booked(
        EntryKind.REFUND, Concat(OuterRef("provider_ref"), Value(":returned")), OuterRef("currency")
    )
    gone = refunds.filter(state=RefundState.SUCCEEDED).exclude(provider_ref="")
    wrong = gone.annotate(booked=Coalesce(Subquery(booked), 0) + Coalesce(Subquery(back), 0))
    for refund in wrong.exclude(booked=-F("amount")).select_related("attempt").order_by("pk"):
        order_id = refund.attempt.order_id
        yield _differs(refund.provider_ref, order_id, refund.amount, refund.currency, -refund.booked)


def find_entries_of_nothing(entries: QuerySet[JournalEntry]) -> Iterator[Difference]:
    """Entries without the payment or the refund that they speak of."""
    captures = PaymentAttempt.objects.filter(
        provider_ref=OuterRef("provider_ref"), state=AttemptState.SUCCEEDED
    )
    refunds = Refund.objects.filter(provider_ref=OuterRef("provider_ref"), state=RefundState.SUCCEEDED)
    settled = Q(Exists(captures), kind=EntryKind.CAPTURE) | Q(Exists(refunds), kind=EntryKind.REFUND)
    for entry in entries.exclude(settled).order_by("pk"):
        yield from _entry_of_nothing(entry)


def _entry_of_nothing(entry: JournalEntry) -> Iterator[Difference]:
    """Unless what it speaks of came back, which is booked as well: then the two make zero."""
    reference = entry.provider_ref.removesuffix(":returned")
    sides = Posting.objects.filter(
        account=Account.PROVIDER,
        entry__kind=entry.kind,
        entry__provider_ref__in=[reference, f"{reference}:returned"],
    )
    sums = [row for row in sides.order_by().values("currency").annotate(total=Sum("amount")) if row["total"]]
    for row in sums:
        amount = format_money(abs(row["total"]), row["currency"])
        yield Difference(
            IncidentKind.JOURNAL_DIFFERS,
            reference,
            f"{amount} is booked as the {entry.kind} {reference} of order {entry.order_id}, which is not settled here.",
            entry.order_id,
            detail={"books": {"kind": entry.kind, **row}, "here": None},
        )


def _booked(kind: EntryKind, reference: object, currency: object) -> QuerySet[Posting, Any]:
    """What an entry says of the account at the provider: at most one row."""
    return Posting.objects.filter(
        entry__kind=kind, entry__provider_ref=reference, account=Account.PROVIDER, currency=currency
    ).values("amount")


def _differs(reference: str, order_id: int, amount: int, currency: str, booked: int) -> Difference:
    said = f"{format_money(booked, currency)} is" if booked else "nothing is"
    return Difference(
        IncidentKind.JOURNAL_DIFFERS,
        reference,
        f"{format_money(amount, currency)} was moved as {reference} for order {order_id}; {said} booked.",
        order_id,
        # Books are never changed: what is wrong in them is put right by an entry that somebody answers for.
        "" if booked else BOOK,
        {"here": {"amount": amount, "currency": currency}, "books": {"amount": booked}},
    )
