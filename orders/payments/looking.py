"""Looking a payment up at the provider without its key, by what we know of it."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from django.utils import timezone

from orders.payments.gate import gateway, through
from orders.payments.gateway import Misconfigured, Payment, PaymentStatus
from orders.payments.models import PaymentAttempt, Refund

#: A request of ours lives for at most 30 s (the client's time-outs) and its worker for 75; the rest is for clocks and
#: for a process that was stopped in between. What the provider does not have this long after it was last asked, it
#: will never have.
VOID_AFTER = timedelta(minutes=10)
#: The most that Stripe lists at once.
PAGE = 100
#: How far the provider's clock and ours may be apart.
CLOCKS = timedelta(minutes=1)


def find_payment(attempt: PaymentAttempt) -> Payment | None:
    """The payment that the provider has for an attempt, if it has one.

    Raises:
        Misconfigured: we know its reference, and the provider does not: these are not the same books.
        Unknown, Unavailable, Postponed.

    """
    if attempt.provider_ref:
        return retrieve(attempt.provider_ref)
    found = find_payments([attempt])[str(attempt.order.public_id)]
    return found[0] if found else None


def retrieve(reference: str) -> Payment:
    """The payment with a reference that we were given. Raises as `find_payment`."""
    payment = through(lambda gateway: gateway.retrieve(reference))
    if payment is None:
        raise Misconfigured(f"{reference} is ours, but the provider does not have it: is it another account?")
    return payment


def find_payments(attempts: Sequence[PaymentAttempt]) -> dict[str, list[Payment]]:
    """What the provider has for each of the attempts' orders, by public id, captured payments first.

    The provider's list is read once for each stretch of time in which some of them were asked for, however many
    they are.
    """
    found: dict[str, list[Payment]] = {str(attempt.order.public_id): [] for attempt in attempts}
    for since, until in _stretches(attempts):
        for payment in _list(since, until):
            if payment.order in found:
                found[payment.order].append(payment)
    for payments in found.values():
        payments.sort(key=lambda payment: payment.status != PaymentStatus.SUCCEEDED)
    return found


def is_silent(asked: PaymentAttempt | Refund) -> bool:
    """Whether nobody has asked for so long that no request can be under way."""
    return timezone.now() - asked.updated_at > VOID_AFTER


def absent(attempt: PaymentAttempt) -> Payment:
    """What a payment comes to that was looked for and is not there."""
    return Payment(
        "",
        PaymentStatus.CANCELLED,
        attempt.amount,
        attempt.currency,
        code="not_found",
        detail="The payment provider could not be reached. Nothing was charged.",
    )


def _list(since: datetime, until: datetime) -> Iterator[Payment]:
    """Every payment made in a span of time, each page of the list asked for through the gate."""
    payments = gateway().payments(since=since, until=until)
    while page := through(lambda _: list(islice(payments, PAGE))):
        yield from page
        if len(page) < PAGE:
            break


def _stretches(attempts: Iterable[PaymentAttempt]) -> list[tuple[datetime, datetime]]:
    """When the attempts' payments can have been made, oldest first, without overlaps."""
    spans = sorted(
        (attempt.created_at - CLOCKS, attempt.updated_at + VOID_AFTER + CLOCKS) for attempt in attempts
    )
    merged: list[tuple[datetime, datetime]] = []
    for since, until in spans:
        if merged and since <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(until, merged[-1][1]))
        else:
            merged.append((since, until))
    return merged
