"""A payment at the provider beside our attempt, its order and the books: read in batches, four queries for each."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from orders.models import Order
from orders.payments.gate import through
from orders.payments.gateway import Payment, PaymentStatus
from orders.payments.models import (
    LIVE,
    Account,
    AttemptState,
    EntryKind,
    PaymentAttempt,
    Posting,
)
from orders.payments.reconciling.difference import Window, is_young
from orders.payments.reconciling.owed import owed_among
from orders.payments.reconciling.streams import rows

Money = tuple[int, str]  # minor units, ISO 4217


@dataclass(frozen=True, slots=True)
class Capture:
    """One movement of money to us, as each side has it. What a side does not have is None."""

    payment: Payment | None
    attempt: PaymentAttempt | None
    order: Order | None  # the attempt's, or the one that the payment's metadata names
    booked: Money | None

    @property
    def captured(self) -> Money | None:
        """What the provider says was captured."""
        if self.payment is None or self.payment.status != PaymentStatus.SUCCEEDED:
            return None
        return self.payment.amount, self.payment.currency

    @property
    def settled(self) -> Money | None:
        """What we say was captured by this payment, and no other of the order."""
        attempt = self.attempt
        if attempt is None or attempt.state != AttemptState.SUCCEEDED or not self.is_of_attempt:
            return None
        return attempt.amount, attempt.currency

    @property
    def is_of_attempt(self) -> bool:
        """Whether the attempt, if it knows its payment at all, knows this one."""
        if self.attempt is None or self.payment is None:
            return self.attempt is not None
        return self.attempt.provider_ref in ("", self.payment.reference)

    @property
    def is_ours(self) -> bool:
        """A payment that names no order of a shop, and is none of our attempts, is somebody else's business."""
        return self.attempt is not None or self.payment is None or self.payment.order != ""

    @property
    def subject(self) -> str:
        """Whom a job would be owed to."""
        return f"order:{self.order.pk}" if self.order is not None else ""


def read_payments(payments: Sequence[Payment]) -> list[Capture]:
    """What we have for each of the provider's payments, in three queries."""
    references = [payment.reference for payment in payments]
    named = {payment.reference: _uuid(payment.order) for payment in payments}
    orders = {o.public_id: o for o in Order.objects.filter(public_id__in={u for u in named.values() if u})}
    attempts = list(
        PaymentAttempt.objects.filter(
            Q(provider_ref__in=references) | Q(order__in=[order.pk for order in orders.values()])
        ).select_related("order")
    )
    known = {attempt.provider_ref: attempt for attempt in attempts if attempt.provider_ref}
    booked = read_booked(EntryKind.CAPTURE, references)
    found = []
    for payment in payments:
        order = orders.get(named[payment.reference] or UUID(int=0))
        attempt = known.get(payment.reference) or _likeliest(attempts, order)
        owner = attempt.order if attempt is not None else order
        found.append(Capture(payment, attempt, owner, booked.get(payment.reference)))
    return found


def read_attempts(attempts: Sequence[PaymentAttempt]) -> list[Capture]:
    """What the provider has for each of our attempts, asked for one by one: for the few that its list did not have."""
    booked = read_booked(EntryKind.CAPTURE, [attempt.provider_ref for attempt in attempts])
    return [
        Capture(_retrieve(attempt.provider_ref), attempt, attempt.order, booked.get(attempt.provider_ref))
        for attempt in attempts
    ]


def read_capture(reference: str) -> Capture:
    """One payment by the provider's id, everything as it is now."""
    payment = _retrieve(reference)
    if payment is not None:
        return read_payments([payment])[0]
    attempts = PaymentAttempt.objects.filter(provider_ref=reference).exclude(provider_ref="")
    attempt = attempts.select_related("order").first()
    booked = read_booked(EntryKind.CAPTURE, [reference]).get(reference)
    return Capture(None, attempt, attempt.order if attempt else None, booked)


def settled_attempts(window: Window) -> Iterator[list[PaymentAttempt]]:
    """Our captured attempts of the window, oldest first, in batches of one query each."""
    ours = PaymentAttempt.objects.filter(state=AttemptState.SUCCEEDED).select_related("order")
    return rows(ours, window)


def read_booked(kind: EntryKind, references: Iterable[str]) -> dict[str, Money]:
    """What the books say has come in from the provider, or gone back through it, by its id. A refund that came back
    is booked once more, as what it is; here both are one.
    """
    wanted = [
        ref for r in references if r for ref in ((r, f"{r}:returned") if kind == EntryKind.REFUND else (r,))
    ]
    rows = Posting.objects.filter(
        account=Account.PROVIDER, entry__kind=kind, entry__provider_ref__in=wanted
    ).values_list("entry__provider_ref", "amount", "currency")
    sums: dict[str, Money] = {}
    for name, amount, currency in rows:
        reference = name.removesuffix(":returned")
        signed = amount if kind == EntryKind.CAPTURE else -amount
        sums[reference] = (sums.get(reference, (0, currency))[0] + signed, currency)
    return sums


def in_flight(captures: Sequence[Capture]) -> Callable[[Capture], bool]:
    """A function that says of each whether it may still be on its way, from one query for all."""
    owed = owed_among(capture.subject for capture in captures if capture.subject)

    def is_in_flight(capture: Capture) -> bool:
        return capture.subject in owed or is_young(
            capture.payment.created_at if capture.payment else None,
            capture.attempt.updated_at if capture.attempt else None,
        )

    return is_in_flight


def _likeliest(attempts: Iterable[PaymentAttempt], order: Order | None) -> PaymentAttempt | None:
    """The attempt of an order that a payment without a better match belongs to: the live one, else the newest."""
    if order is None:
        return None
    own = [attempt for attempt in attempts if attempt.order_id == order.pk]
    return max(own, key=lambda attempt: (attempt.state in LIVE, attempt.number), default=None)


def _retrieve(reference: str) -> Payment | None:
    return through(lambda gateway: gateway.retrieve(reference), wait=True) if reference else None


def _uuid(text: str) -> UUID | None:
    """Anybody with our key can write anything into a payment's metadata."""
    try:
        return UUID(text)
    except ValueError:
        return None
