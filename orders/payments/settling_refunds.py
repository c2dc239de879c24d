"""What a refund at the provider means for us: the one door, as `settling` is for payments."""

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from orders import locks
from orders.models import Order
from orders.models.notification import NotificationKind
from orders.money import format_money
from orders.payments.gateway import RefundReceipt, RefundStatus
from orders.payments.incidents import open_incident
from orders.payments.journal import book_refund, book_refund_returned
from orders.payments.models import OPEN_REFUNDS, IncidentKind, PaymentAttempt, Refund, RefundState
from orders.payments.refunds import end_as_refunded
from orders.services.notifying import announce
from proj.jobs.failpoints import failpoint


def settle_refund(refund_id: int, receipt: RefundReceipt, *, via: str) -> bool:
    """Bring a refund, its order and the books to what the provider says of it, in one transaction.

    Args:
        refund_id: primary key of our refund.
        receipt: as the provider has it.
        via: how we know: "reply", "webhook" or "reconciliation".

    Returns:
        Whether anything changed. Not if it was known, nor if it does not add up: then an incident is open.

    """
    with transaction.atomic():
        order = locks.lock_order(Refund.objects.values_list("attempt__order_id", flat=True).get(pk=refund_id))
        refund = Refund.objects.select_related("attempt").get(pk=refund_id)  # read under the lock
        refund.attempt.order = order
        match receipt.status:
            case RefundStatus.SUCCEEDED:
                changed = _settle_succeeded(order, refund, receipt, via)
            case RefundStatus.PENDING:
                changed = _settle_pending(refund, receipt)
            case RefundStatus.FAILED:
                changed = _settle_failed(order, refund, receipt, via)
        failpoint("refund:settled")
        return changed


def _settle_succeeded(order: Order, refund: Refund, receipt: RefundReceipt, via: str) -> bool:
    if refund.state == RefundState.SUCCEEDED:
        return False
    if (receipt.amount, receipt.currency) != (refund.amount, refund.currency):
        _report_difference(order, refund, receipt)
        return False
    if refund.state == RefundState.FAILED and not _reclaim(refund):
        _report_second(order, refund, receipt)
        return False
    _move(refund, RefundState.SUCCEEDED, receipt)
    book_refund(order, receipt.reference, refund.amount, refund.currency)
    detail = {
        "amount": refund.amount,
        "currency": refund.currency,
        "refund": refund.pk,
        "reason": refund.reason,
        "provider_ref": receipt.reference,
        "via": via,
    }
    order.note("refunded", actor="payments", detail=detail)
    end_as_refunded(order, actor="payments")
    announce(order, NotificationKind.REFUNDED, reference=str(refund.pk))
    return True


def _settle_pending(refund: Refund, receipt: RefundReceipt) -> bool:
    known = refund.state == RefundState.UNKNOWN and refund.provider_ref == receipt.reference
    if known or refund.state not in OPEN_REFUNDS:
        return False
    _move(refund, RefundState.UNKNOWN, receipt)
    return True


def _settle_failed(order: Order, refund: Refund, receipt: RefundReceipt, via: str) -> bool:
    """Refused; or, days after it went, returned by the customer's bank. Either way the provider has the money again."""
    if refund.state == RefundState.FAILED:
        return False
    if refund.state == RefundState.SUCCEEDED:
        book_refund_returned(order, receipt.reference, refund.amount, refund.currency)
    _move(refund, RefundState.FAILED, receipt)
    _attempt_of(refund).update(refunded=F("refunded") - refund.amount, updated_at=timezone.now())
    detail = {"amount": refund.amount, "currency": refund.currency, "refund": refund.pk, "via": via}
    order.note("refund_failed", actor="payments", detail={**detail, "reason": receipt.detail})
    sum_ = format_money(refund.amount, refund.currency)
    open_incident(
        IncidentKind.REFUND_FAILED,
        f"refund:{refund.pk}",
        summary=f"The provider did not give {sum_} back: {receipt.detail}",
        detail={"refund": refund.pk, "provider": receipt.reference},
        order=order,
        repair=f"Ask for the refund of {sum_} again.",
    )
    return True


def report_unknown_refund(refund: Refund) -> None:
    """Tell staff of a refund whose key may have been forgotten and that is not to be found at the provider."""
    sum_ = format_money(refund.amount, refund.currency)
    open_incident(
        IncidentKind.UNKNOWN_TOO_LONG,
        f"refund:{refund.pk}",
        summary=f"A refund of {sum_} has no outcome since {refund.created_at:%Y-%m-%d %H:%M} UTC, and the provider "
        "does not have it.",
        detail={"refund": refund.pk, "payment": refund.attempt.provider_ref},
        order=refund.attempt.order,
        repair=f"Give this refund up and ask for {sum_} again.",
    )


def _move(refund: Refund, state: RefundState, receipt: RefundReceipt) -> None:
    refund.state, refund.provider_ref = state, receipt.reference or refund.provider_ref
    refund.error_code = "failed" if state == RefundState.FAILED else ""
    refund.error_detail = receipt.detail
    refund.save(update_fields=["state", "provider_ref", "error_code", "error_detail", "updated_at"])


def _attempt_of(refund: Refund) -> QuerySet[PaymentAttempt]:
    return PaymentAttempt.objects.filter(pk=refund.attempt_id)


def _reclaim(refund: Refund) -> bool:
    """Count a refund that was thought to have failed again; False if its sum has been given back otherwise."""
    left = _attempt_of(refund).filter(refunded__lte=F("amount") - refund.amount)
    return left.update(refunded=F("refunded") + refund.amount, updated_at=timezone.now()) == 1


def _report_second(order: Order, refund: Refund, receipt: RefundReceipt) -> None:
    sum_ = format_money(receipt.amount, receipt.currency)
    open_incident(
        IncidentKind.REFUND_UNSETTLED,
        receipt.reference,
        summary=f"{sum_} were given back as {receipt.reference}, which had failed and was asked for again since.",
        detail={"refund": refund.pk, "provider": receipt.reference, "amount": receipt.amount},
        order=order,
    )


def _report_difference(order: Order, refund: Refund, receipt: RefundReceipt) -> None:
    ours = format_money(refund.amount, refund.currency)
    theirs = format_money(receipt.amount, receipt.currency)
    open_incident(
        IncidentKind.AMOUNT_DIFFERS,
        receipt.reference,
        summary=f"{ours} were to be given back, {theirs} were, as {receipt.reference}. Nothing is settled.",
        detail={"ours": [refund.amount, refund.currency], "provider": [receipt.amount, receipt.currency]},
        order=order,
    )
