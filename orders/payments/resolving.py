"""Finding out what became of payments and refunds that nobody asks for any more, or that have been silent for long."""

import logging
from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from orders.money import format_money
from orders.payments.gate import through
from orders.payments.gateway import Misconfigured, Payment, PaymentStatus, Unknown
from orders.payments.incidents import is_refusing, open_incident
from orders.payments.looking import absent, find_payments, is_silent, retrieve
from orders.payments.models import IncidentKind, PaymentAttempt, Refund
from orders.payments.reconciling.owed import is_owed
from orders.payments.refunds import enqueue_refund
from orders.payments.settling import settle
from orders.states import Status

logger = logging.getLogger(__name__)

#: A request takes seconds, its first retries less than this.
GRACE = timedelta(minutes=2)
#: An outcome that is not known for so long is for people. Stripe's own take seconds, a card's at most some hours.
TOO_LONG = timedelta(hours=24)
#: About a minute of asking at a tenth of a second each; the next sweep takes the next.
LIMIT = 500


def resolve_unknown(limit: int = LIMIT) -> int:
    """Look up open payments that have been left alone, and set refunds without an outcome going again.

    A payment of an order that has ended is settled by what is found: a capture goes back, what is pending is called
    off, and what is not there, so long after the last request, is voided. Safe at any time, also beside itself: nothing
    is asked for here that could take money, and settling twice changes nothing.

    Args:
        limit: of payments, and of refunds; the longest silent come first.

    Returns:
        How many payments were settled and refunds enqueued.

    Raises:
        Unavailable, Unknown, Postponed: the provider cannot be asked now.

    """
    attempts = list(_left_alone()[:limit])
    silent = {attempt.pk for attempt in attempts if is_silent(attempt)}  # judged before anything is looked up
    unknown = [attempt for attempt in attempts if not attempt.provider_ref]
    found = find_payments(unknown) if unknown else {}
    settled = sum(
        _resolve(attempt, found.get(str(attempt.order.public_id), []), is_over=attempt.pk in silent)
        for attempt in attempts
    )
    return settled + _resend_refunds(limit)


def _left_alone() -> QuerySet[PaymentAttempt]:
    """Open attempts of orders that nobody charges any more, and those that were not touched for a while."""
    quiet = Q(updated_at__lt=timezone.now() - GRACE)
    open_ = PaymentAttempt.objects.open().select_related("order").order_by("updated_at")
    return open_.filter(~Q(order__status=Status.CHARGING) | quiet)


def _resolve(attempt: PaymentAttempt, found: list[Payment], *, is_over: bool) -> bool:
    """Settle one attempt by what the provider has; False if nothing is known yet."""
    try:
        if attempt.provider_ref:
            found = [retrieve(attempt.provider_ref)]
        if not found and is_over and attempt.order.status != Status.CHARGING:
            found = [absent(attempt)]
        changed = [settle(attempt.pk, _call_off(attempt, payment), via="reconciliation") for payment in found]
    except (Misconfigured, Unknown) as error:  # of this one payment; the others are not to wait for it
        logger.warning("payment %s could not be looked up: %s", attempt.idempotency_key, error.detail)
        changed = []
    if not any(changed) and timezone.now() - attempt.created_at > TOO_LONG:
        _report(attempt)
    return any(changed)


def _call_off(attempt: PaymentAttempt, payment: Payment) -> Payment:
    """The payment; if it is pending and its order has ended, as it is after we have tried to cancel it."""
    if payment.status != PaymentStatus.PENDING or attempt.order.status == Status.CHARGING:
        return payment
    return through(lambda gateway: gateway.cancel(payment.reference))


def _report(attempt: PaymentAttempt) -> None:
    sum_ = format_money(attempt.amount, attempt.currency)
    open_incident(
        IncidentKind.UNKNOWN_TOO_LONG,
        f"attempt:{attempt.pk}",
        summary=f"A payment of {sum_} has no outcome since {attempt.created_at:%Y-%m-%d %H:%M} UTC.",
        detail={"attempt": attempt.pk, "provider": attempt.provider_ref, "error": attempt.error_detail},
        order=attempt.order,
    )


def _resend_refunds(limit: int) -> int:
    """Enqueue refunds without an outcome that the ledger owes no job: theirs has died, or found them pending."""
    if is_refusing():
        return 0
    waiting = Refund.objects.open().filter(~is_owed("refund"), updated_at__lt=timezone.now() - GRACE)
    refunds = list(waiting.order_by("updated_at")[:limit])
    for refund in refunds:
        enqueue_refund(refund)
    return len(refunds)
