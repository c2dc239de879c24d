"""A refund at the provider beside ours, its payment and the books: read in batches, four queries for each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Q

from orders.payments.gate import through
from orders.payments.gateway import RefundReceipt, RefundStatus
from orders.payments.models import EntryKind, PaymentAttempt, Refund, RefundState
from orders.payments.reconciling.captures import Money, read_booked
from orders.payments.reconciling.difference import Window, is_young
from orders.payments.reconciling.owed import owed_among
from orders.payments.reconciling.streams import rows


@dataclass(frozen=True, slots=True)
class Giveback:
    """One movement of money from us, as each side has it. What a side does not have is None."""

    receipt: RefundReceipt | None
    refund: Refund | None
    attempt: PaymentAttempt | None  # the payment that it gives back
    booked: Money | None

    @property
    def returned(self) -> Money | None:
        """What the provider says has gone back, or goes: a pending one that we took for done is none of our worry."""
        if self.receipt is None or self.receipt.status == RefundStatus.FAILED:
            return None
        if self.receipt.status == RefundStatus.PENDING and self.settled is None:
            return None
        return self.receipt.amount, self.receipt.currency

    @property
    def settled(self) -> Money | None:
        """What we say has gone back by it."""
        if self.refund is None or self.refund.state != RefundState.SUCCEEDED:
            return None
        return self.refund.amount, self.refund.currency

    @property
    def is_ours(self) -> bool:
        return self.refund is not None or self.attempt is not None

    @property
    def subjects(self) -> list[str]:
        """Whom a job would be owed to."""
        found = [f"order:{self.attempt.order_id}"] if self.attempt is not None else []
        return [*found, f"refund:{self.refund.pk}"] if self.refund is not None else found


def read_receipts(receipts: Sequence[RefundReceipt]) -> list[Giveback]:
    """What we have for each of the provider's refunds, in three queries."""
    references = [receipt.reference for receipt in receipts]
    numbers = {int(receipt.refund) for receipt in receipts if _is_number(receipt.refund)}
    ours = Refund.objects.filter(Q(provider_ref__in=references) | Q(pk__in=numbers))
    refunds = list(ours.select_related("attempt__order"))
    known = {refund.provider_ref: refund for refund in refunds if refund.provider_ref}
    asked = {str(refund.pk): refund for refund in refunds if not refund.provider_ref}
    payments = {receipt.payment for receipt in receipts if receipt.payment}
    attempts = {
        attempt.provider_ref: attempt
        for attempt in PaymentAttempt.objects.filter(provider_ref__in=payments).select_related("order")
    }
    booked = read_booked(EntryKind.REFUND, references)
    found = []
    for receipt in receipts:
        attempt = attempts.get(receipt.payment)
        refund = known.get(receipt.reference) or asked.get(receipt.refund)
        if refund is not None and attempt is not None and refund.attempt_id != attempt.pk:
            refund = None  # the number is that of another shop's refund
        found.append(Giveback(receipt, refund, attempt, booked.get(receipt.reference)))
    return found


def read_refunds(refunds: Sequence[Refund]) -> list[Giveback]:
    """What the provider has for each of ours, asked for one by one: for the few that its list did not have."""
    booked = read_booked(EntryKind.REFUND, [refund.provider_ref for refund in refunds])
    return [
        Giveback(_retrieve(refund.provider_ref), refund, refund.attempt, booked.get(refund.provider_ref))
        for refund in refunds
    ]


def read_giveback(reference: str) -> Giveback:
    """One refund by the provider's id, everything as it is now."""
    receipt = _retrieve(reference)
    if receipt is not None:
        return read_receipts([receipt])[0]
    refunds = Refund.objects.filter(provider_ref=reference).exclude(provider_ref="")
    refund = refunds.select_related("attempt__order").first()
    booked = read_booked(EntryKind.REFUND, [reference]).get(reference)
    return Giveback(None, refund, refund.attempt if refund else None, booked)


def settled_refunds(window: Window) -> Iterator[list[Refund]]:
    """Our refunds of the window that have gone, oldest first, in batches of one query each."""
    ours = Refund.objects.filter(state=RefundState.SUCCEEDED).select_related("attempt__order")
    return rows(ours, window)


def in_flight(givebacks: Sequence[Giveback]) -> Callable[[Giveback], bool]:
    """A function that says of each whether it may still be on its way, from one query for all."""
    owed = owed_among(subject for giveback in givebacks for subject in giveback.subjects)

    def is_in_flight(giveback: Giveback) -> bool:
        return not owed.isdisjoint(giveback.subjects) or is_young(
            giveback.receipt.created_at if giveback.receipt else None,
            giveback.refund.updated_at if giveback.refund else None,
        )

    return is_in_flight


def _is_number(text: str) -> bool:
    """Whether it can be a primary key: anybody with our key can write anything into a refund's metadata."""
    return text.isascii() and text.isdecimal() and len(text) < 19  # noqa: PLR2004  digits of the largest bigint


def _retrieve(reference: str) -> RefundReceipt | None:
    return through(lambda gateway: gateway.retrieve_refund(reference), wait=True) if reference else None
