"""What a payment at the provider means for us: the one door, however the payment became known, and however often.

The reply to our own question, a webhook and reconciliation may all bring the same payment, in any order, late, twice or
at the same moment. Each run locks the order, reads the attempt again and moves it forward; who comes second finds it
done. Nothing here asks the provider.
"""

from django.db import transaction
from django.utils import timezone

from orders import locks
from orders.models import Order
from orders.money import format_money
from orders.payments.gateway import Payment, PaymentStatus
from orders.payments.incidents import open_incident
from orders.payments.journal import book_capture
from orders.payments.models import OPEN, AttemptState, IncidentKind, PaymentAttempt
from orders.payments.refunds import request_refund
from orders.services import mark_paid, mark_payment_failed
from orders.states import Status
from proj.jobs.failpoints import failpoint

#: Ended without being paid: money that arrives for one of these is given back.
ENDED_UNPAID = frozenset({Status.CANCELLED, Status.PAYMENT_FAILED})


def settle(attempt_id: int, payment: Payment, *, via: str) -> bool:
    """Bring an attempt, its order and the books to what the provider says of the payment, in one transaction.

    Captured: the order is paid; or, if it has ended meanwhile, all of the money is requested back. Over without a
    capture: the order's payment has failed. Pending: the attempt is unknown, and its reference is kept.

    Args:
        attempt_id: primary key of the attempt that the payment answers.
        payment: as the provider has it.
        via: how we know, for the order's history: "reply", "webhook" or "reconciliation".

    Returns:
        Whether anything changed. Not if it was known, nor if it does not add up: then an incident is open.

    """
    with transaction.atomic():
        order = locks.lock_order(PaymentAttempt.objects.values_list("order_id", flat=True).get(pk=attempt_id))
        attempt = PaymentAttempt.objects.get(pk=attempt_id)  # read under the lock: as it is now
        match payment.status:
            case PaymentStatus.SUCCEEDED:
                changed = _settle_captured(order, attempt, payment, via)
            case PaymentStatus.PENDING:
                changed = _settle_pending(attempt, payment)
            case PaymentStatus.FAILED | PaymentStatus.CANCELLED:
                changed = _settle_over(order, attempt, payment, via)
        failpoint("payment:settled")
        return changed


def _settle_captured(order: Order, attempt: PaymentAttempt, payment: Payment, via: str) -> bool:
    if attempt.state == AttemptState.SUCCEEDED and attempt.provider_ref == payment.reference:
        return False
    # The attempt itself, if another payment has settled it; or another one, that may have taken the money, too.
    rival = order.payment_attempts.live().exclude(pk=attempt.pk, state__in=OPEN).first()
    if rival is not None:
        _report_second(order, rival, payment)
        return False
    if (payment.amount, payment.currency) != (attempt.amount, attempt.currency):
        _report_difference(order, attempt, payment)
        return False
    _move(attempt, AttemptState.SUCCEEDED, payment)
    book_capture(order, payment.reference, payment.amount, payment.currency)
    if order.status == Status.CHARGING:
        mark_paid(order, provider_ref=payment.reference, via=via)
    elif order.status in ENDED_UNPAID:
        request_refund(order, reason="The payment arrived after the order had ended.", actor="payments")
    return True


def _settle_pending(attempt: PaymentAttempt, payment: Payment) -> bool:
    """It may still be captured; so may one that had been given up because it was not to be found."""
    known = attempt.state == AttemptState.UNKNOWN and attempt.provider_ref == payment.reference
    if known or _is_other(attempt, payment) or attempt.state not in {*OPEN, AttemptState.VOIDED}:
        return False
    _move(attempt, AttemptState.UNKNOWN, payment)
    return True


def _settle_over(order: Order, attempt: PaymentAttempt, payment: Payment, via: str) -> bool:
    """Only what is open can end so, and only by the payment that it is known to be."""
    if attempt.state not in OPEN or _is_other(attempt, payment):
        return False
    declined = payment.status == PaymentStatus.FAILED
    _move(attempt, AttemptState.DECLINED if declined else AttemptState.VOIDED, payment)
    if order.status == Status.CHARGING:
        reason = payment.detail or "The payment was called off."
        mark_payment_failed(order, reason, code=payment.code, provider_ref=payment.reference, via=via)
    return True


def _is_other(attempt: PaymentAttempt, payment: Payment) -> bool:
    return bool(attempt.provider_ref) and attempt.provider_ref != payment.reference


def _move(attempt: PaymentAttempt, state: AttemptState, payment: Payment) -> None:
    """Needs the lock on the order. `updated_at` stays: of an open attempt it says when the provider was last asked."""
    if state not in OPEN:
        attempt.updated_at = timezone.now()
    attempt.state, attempt.provider_ref = state, payment.reference or attempt.provider_ref
    attempt.error_code, attempt.error_detail = payment.code[:64], payment.detail
    PaymentAttempt.objects.filter(pk=attempt.pk).update(
        state=attempt.state,
        provider_ref=attempt.provider_ref,
        error_code=attempt.error_code,
        error_detail=attempt.error_detail,
        updated_at=attempt.updated_at,
    )


def _report_second(order: Order, first: PaymentAttempt, payment: Payment) -> None:
    sum_ = format_money(payment.amount, payment.currency)
    open_incident(
        IncidentKind.CAPTURED_TWICE,
        payment.reference,
        summary=f"{sum_} were captured as {payment.reference}, but the order has {first.provider_ref or first} already.",
        detail={"ours": first.provider_ref, "provider": payment.reference, "amount": payment.amount},
        order=order,
        repair=f"Give the {sum_} of {payment.reference} back at the provider.",
    )


def _report_difference(order: Order, attempt: PaymentAttempt, payment: Payment) -> None:
    ours, theirs = (
        format_money(attempt.amount, attempt.currency),
        format_money(payment.amount, payment.currency),
    )
    open_incident(
        IncidentKind.AMOUNT_DIFFERS,
        payment.reference,
        summary=f"{ours} were asked for, {theirs} were captured as {payment.reference}. Nothing is settled.",
        detail={
            "ours": [attempt.amount, attempt.currency],
            "provider": [payment.amount, payment.currency],
        },
        order=order,
    )
