"""Asking for money to be given back. Everything here happens in the caller's transaction, with the order locked.

That no more goes back than was captured has two guards: the lock on the order, under which what is left is read, and a
constraint on the attempt's row, which holds if somebody comes without the lock.
"""

from celery import signature
from django.db.models import F
from django.utils import timezone

from orders.errors import NothingToRefund, RefundInexact, RefundTooLarge
from orders.models import Order
from orders.money import format_money
from orders.payments.amounts import Inexact, to_provider
from orders.payments.models import AttemptState, PaymentAttempt, Refund, RefundState
from orders.states import TRANSITIONS, Status


def request_refund(order: Order, amount: int | None = None, *, reason: str, actor: str) -> list[Refund]:
    """Owe the customer money of an order back, and enqueue the jobs that ask the provider for it.

    Args:
        order: locked by the caller.
        amount: in the minor unit of the order's currency; None: everything that is left.
        reason: why, for the customer and for us.
        actor: who wants it, such as a username.

    Raises:
        NothingToRefund, RefundTooLarge, RefundInexact: nothing is stored.

    """
    captured = list(order.payment_attempts.filter(state=AttemptState.SUCCEEDED).order_by("number"))
    left = sum(attempt.refundable for attempt in captured)
    wanted = left if amount is None else amount
    if not left:
        raise NothingToRefund
    if wanted > left:
        raise RefundTooLarge(format_money(left, order.currency))
    _refuse_inexact(wanted, order.currency)
    refunds = []
    for attempt in captured:
        part = min(wanted, attempt.refundable)
        if part:
            refunds.append(_create(order, attempt, part, reason=reason, actor=actor))
        wanted -= part
    return refunds


def end_as_refunded(order: Order, *, actor: str, **detail: str) -> bool:
    """Move an order to `refunded` if all that was ever captured for it has gone back; otherwise change nothing.

    Needs the order locked. An order that is still on its way is asked about again when it is complete. `detail` is kept
    with the event.
    """
    if Status.REFUNDED not in TRANSITIONS[Status(order.status)] or not is_refunded(order):
        return False
    return order.transition_to(Status.REFUNDED, actor=actor, reason=order.reason, detail=detail)


def is_refunded(order: Order) -> bool:
    """Whether money was captured for an order, and all of it has gone back."""
    captured = order.payment_attempts.filter(state=AttemptState.SUCCEEDED)
    given_back = Refund.objects.filter(attempt__order=order, state=RefundState.SUCCEEDED)
    paid = sum(captured.values_list("amount", flat=True))
    return paid > 0 and paid == sum(given_back.values_list("amount", flat=True))


def enqueue_refund(refund: Refund) -> None:
    """Owe the job that asks the provider. By name: tasks stand above this module. The message leaves on commit."""
    signature("payments.send_refund", args=(refund.pk,), immutable=True).apply_async()


def _refuse_inexact(amount: int, currency: str) -> None:
    if amount < 1:
        raise RefundInexact(f"At least {format_money(1, currency)} can be given back.")
    try:
        to_provider(amount, currency)
    except Inexact as error:
        raise RefundInexact(f"{format_money(amount, currency)} cannot be given back exactly.") from error


def _create(order: Order, attempt: PaymentAttempt, amount: int, *, reason: str, actor: str) -> Refund:
    PaymentAttempt.objects.filter(pk=attempt.pk).update(
        refunded=F("refunded") + amount, updated_at=timezone.now()
    )
    number = Refund.objects.filter(attempt__order=order).count() + 1
    refund = Refund.objects.create(
        attempt=attempt,
        # Derived and not random: after the database is restored from a backup, the same question is asked again.
        idempotency_key=f"refund-{order.public_id}-{number}",
        amount=amount,
        currency=attempt.currency,
        reason=reason[:500],
        requested_by=actor[:150],
    )
    order.note(
        "refund_requested",
        actor=actor,
        detail={"amount": amount, "currency": attempt.currency, "reason": reason, "refund": refund.pk},
    )
    enqueue_refund(refund)
    return refund
