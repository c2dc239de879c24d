"""Mending what differs about money that went back. Each reads everything again before it does anything."""

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from orders import locks
from orders.errors import NothingToRefund, RefundTooLarge
from orders.money import format_money
from orders.payments.gateway import RefundReceipt, RefundStatus
from orders.payments.incidents import close_incident
from orders.payments.models import AttemptState, Incident, IncidentKind, PaymentAttempt, Refund, RefundState
from orders.payments.reconciling import giveback_checks, givebacks
from orders.payments.reconciling.difference import Difference, NotRepaired
from orders.payments.refunds import request_refund
from orders.payments.settling_refunds import settle_refund


def look_again(incident: Incident) -> Difference | None:
    return giveback_checks.check(givebacks.read_giveback(_reference(incident)))


def settle_giveback(difference: Difference, actor: str) -> str:
    """What the provider has given back is settled here: as the refund that it is, or as one of its own."""
    giveback = givebacks.read_giveback(difference.fingerprint)
    if giveback.receipt is None or giveback.attempt is None:
        raise NotRepaired("There is no refund, or no payment of ours, to settle any more.")
    if giveback.refund is None:
        return adopt(giveback.receipt, giveback.attempt.pk, actor)
    if not settle_refund(giveback.refund.pk, giveback.receipt, via="reconciliation"):
        raise NotRepaired("It was not settled: it is known by now, or does not add up.")
    return f"Settled: refund {giveback.refund.pk} has {giveback.receipt.status}."


def adopt(receipt: RefundReceipt, attempt_id: int, actor: str) -> str:
    """Enter a refund that was made at the provider as one of ours, and settle it: the books, the order, the mail."""
    with transaction.atomic():
        order = locks.lock_order(PaymentAttempt.objects.values_list("order_id", flat=True).get(pk=attempt_id))
        attempt = PaymentAttempt.objects.get(pk=attempt_id)
        if attempt.state != AttemptState.SUCCEEDED:
            raise NotRepaired(f"Its payment is {attempt.state} here: settle that first.")
        if attempt.refundable < receipt.amount or receipt.currency != attempt.currency:
            left = format_money(attempt.refundable, attempt.currency)
            raise NotRepaired(f"Of its payment {left} is left: a refund of ours may be under way.")
        PaymentAttempt.objects.filter(pk=attempt.pk).update(
            refunded=F("refunded") + receipt.amount, updated_at=timezone.now()
        )
        refund = Refund.objects.create(
            attempt=attempt,
            idempotency_key=f"adopted-{receipt.reference}",  # never sent: it says where the refund comes from
            amount=receipt.amount,
            currency=receipt.currency,
            reason="Given back by the payment provider.",
            requested_by=actor,
            provider_ref=receipt.reference,
        )
        order.note(
            "refund_adopted", actor=actor, detail={"refund": refund.pk, "provider_ref": receipt.reference}
        )
        settle_refund(refund.pk, receipt, via="reconciliation")
    return f"Adopted as refund {refund.pk}."


def settle_failure(difference: Difference, actor: str) -> str:
    """The provider says that a refund, which we thought had gone, has failed: settle that, and ask for the sum again."""
    giveback = givebacks.read_giveback(difference.fingerprint)
    receipt, refund = giveback.receipt, giveback.refund
    if refund is None or receipt is None or receipt.status != RefundStatus.FAILED:
        raise NotRepaired("The provider does not say that it has failed any more.")
    return fail_and_ask_again(refund.pk, receipt, actor)


def fail_and_ask_again(refund_id: int, receipt: RefundReceipt, actor: str) -> str:
    """Settle a refund as failed and request its sum anew, both or neither."""
    with transaction.atomic():
        settle_refund(refund_id, receipt, via="reconciliation")
        outcome = ask_again(refund_id, actor)
        told = Incident.objects.filter(
            kind=IncidentKind.REFUND_FAILED, fingerprint=f"refund:{refund_id}", closed_at=None
        )
        for incident in told:
            close_incident(incident, actor=actor, outcome=outcome)
    return outcome


def ask_again(refund_id: int, actor: str) -> str:
    """Request the sum of a refund that failed anew, with a key of its own."""
    with transaction.atomic():
        order = locks.lock_order(Refund.objects.values_list("attempt__order_id", flat=True).get(pk=refund_id))
        refund = Refund.objects.get(pk=refund_id)
        later = Refund.objects.filter(attempt=refund.attempt_id, pk__gt=refund.pk).exclude(
            state=RefundState.FAILED
        )
        if refund.state != RefundState.FAILED or later.exists():
            raise NotRepaired("The sum has been asked for again, or has not failed.")
        try:
            requested = request_refund(order, refund.amount, reason=refund.reason, actor=actor)
        except (NothingToRefund, RefundTooLarge) as refusal:
            raise NotRepaired(str(refusal)) from refusal
    return f"Asked for again as refund {', '.join(str(each.pk) for each in requested)}."


def _reference(incident: Incident) -> str:
    """The refund's id at the provider; of one that never had one there is nothing to be looked up."""
    kind, _, number = incident.fingerprint.partition(":")
    if kind != "refund":
        return incident.fingerprint
    return Refund.objects.values_list("provider_ref", flat=True).filter(pk=number).first() or ""
