"""Mending what differs about money that came in. Each reads everything again before it does anything."""

from django.db import transaction

from orders import locks
from orders.money import format_money
from orders.payments.gate import through
from orders.payments.gateway import Declined, PaymentStatus, RefundStatus
from orders.payments.models import Incident, IncidentKind, PaymentAttempt
from orders.payments.reconciling import capture_checks, captures
from orders.payments.reconciling.difference import Difference, NotRepaired
from orders.payments.settling import settle


def look_again(incident: Incident) -> Difference | None:
    return capture_checks.check(captures.read_capture(_reference(incident)))


def settle_capture(difference: Difference, actor: str) -> str:  # noqa: ARG001  the incident says who
    """What the provider has captured is settled here; `settle` locks the order and reads again."""
    capture = captures.read_capture(difference.fingerprint)
    if capture.payment is None or capture.attempt is None:
        raise NotRepaired("There is no payment, or no attempt, to settle any more.")
    if not settle(capture.attempt.pk, capture.payment, via="reconciliation"):
        raise NotRepaired("It was not settled: it is known by now, or does not add up.")
    order = capture.attempt.order
    order.refresh_from_db()
    return f"Settled: order {order.pk} is {order.status}."


def give_second_back(difference: Difference, actor: str) -> str:
    """The money of the payment that is too much goes back at the provider: here it was never counted.

    First the payment that we count is looked up: if that one was not captured, the other is no second.
    """
    capture = captures.read_capture(difference.fingerprint)
    found = capture_checks.check(capture)
    if (
        found is None
        or found.kind != IncidentKind.CAPTURED_TWICE
        or capture.payment is None
        or capture.attempt is None
    ):
        raise NotRepaired("It is no second payment any more.")
    payment, attempt = capture.payment, capture.attempt
    first = through(lambda gateway: gateway.retrieve(attempt.provider_ref), wait=True)
    if first is None or first.status != PaymentStatus.SUCCEEDED or first.refunded:
        raise NotRepaired(
            f"{attempt.provider_ref} is not captured and kept at the provider: look at both first."
        )
    left = payment.amount - payment.refunded
    try:
        receipt = through(
            lambda gateway: gateway.refund(
                # With the sum: asked again after a part went back in another way, it is another question.
                key=f"second-{payment.reference}-{left}",
                payment=payment.reference,
                amount=left,
                currency=payment.currency,
                metadata={"order": payment.order, "second_to": attempt.provider_ref},
            ),
            wait=True,
        )
    except Declined as refusal:
        raise NotRepaired(f"The provider refuses to give it back: {refusal.detail}") from refusal
    if receipt.status == RefundStatus.FAILED:
        raise NotRepaired(f"The provider could not give it back: {receipt.detail}")
    _note(attempt, actor, payment=payment.reference, refund=receipt.reference, amount=left)
    return f"{format_money(left, payment.currency)} of {payment.reference} went back as {receipt.reference}."


def _note(attempt: PaymentAttempt, actor: str, **detail: object) -> None:
    with transaction.atomic():
        order = locks.lock_order(attempt.order_id)
        order.note("second_payment_refunded", actor=actor, detail=detail)


def _reference(incident: Incident) -> str:
    """The payment's id; of an attempt that never had one there is nothing to be looked up."""
    kind, _, number = incident.fingerprint.partition(":")
    if kind != "attempt":
        return incident.fingerprint
    return PaymentAttempt.objects.values_list("provider_ref", flat=True).filter(pk=number).first() or ""
