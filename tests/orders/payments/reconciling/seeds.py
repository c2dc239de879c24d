"""One difference of each kind, as a failure would leave it behind."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from orders import locks
from orders.models import Order, StockItem
from orders.payments.gateway import RefundReceipt, RefundStatus
from orders.payments.models import EventState, IncidentKind, PaymentAttempt, Refund, WebhookEvent
from orders.payments.refunds import request_refund
from orders.payments.settling import settle
from orders.payments.settling_refunds import settle_refund
from orders.services import cancel_order, mark_paid
from proj.jobs.models import Job
from tests.orders.payments.reconciling.shop import Shop


@dataclass(frozen=True)
class Seed:
    """A difference that is there now."""

    kind: IncidentKind
    fingerprint: str
    undo: Callable[[], object]  # as if it had been seen to in another way
    provider_has_more: int = 0  # minor units that the provider keeps beyond what our payments say
    repairable: bool = True


def capture_unsettled(shop: Shop) -> Seed:
    attempt, payment = shop.unanswered()
    return Seed(
        IncidentKind.CAPTURE_UNSETTLED,
        payment.reference,
        lambda: settle(attempt.pk, payment, via="webhook"),
        1000,
    )


def capture_unsettled_of_a_cancelled_order(shop: Shop) -> Seed:
    attempt, payment = shop.unanswered()
    cancel_order(attempt.order_id, "shopper")
    return Seed(
        IncidentKind.CAPTURE_UNSETTLED,
        payment.reference,
        lambda: settle(attempt.pk, payment, via="webhook"),
        1000,
    )


def capture_missing(shop: Shop) -> Seed:
    reference = reference_of(shop.paid())
    row = shop.lose("intents", reference)
    return Seed(
        IncidentKind.CAPTURE_MISSING,
        reference,
        lambda: shop.put_back("intents", row),
        -1000,
        repairable=False,
    )


def captured_twice(shop: Shop) -> Seed:
    second = shop.charge(shop.paid(), key="second").reference
    return Seed(
        IncidentKind.CAPTURED_TWICE, second, lambda: shop.give_back(second, 1000, key="by hand"), 1000
    )


def amount_differs(shop: Shop) -> Seed:
    reference = reference_of(shop.paid())
    shop.rewrite("intents", reference, amount=1200, amount_received=1200)
    return Seed(
        IncidentKind.AMOUNT_DIFFERS,
        reference,
        lambda: shop.rewrite("intents", reference, amount=1000, amount_received=1000),
        200,
        repairable=False,
    )


def stray_capture(shop: Shop) -> Seed:
    reference = shop.charge(None, key="stray", order=str(uuid4())).reference
    return Seed(
        IncidentKind.STRAY_CAPTURE,
        reference,
        lambda: shop.give_back(reference, 1000, key="by hand"),
        1000,
        repairable=False,
    )


def refund_unsettled(shop: Shop) -> Seed:
    """Asked for by us; the answer was lost together with the job."""
    refund = requested(shop.paid(), 400)
    reference = shop.give_back(
        refund.attempt.provider_ref, 400, key=refund.idempotency_key, refund=str(refund.pk)
    )
    receipt = RefundReceipt(reference, refund.attempt.provider_ref, RefundStatus.SUCCEEDED, 400, "GBP")
    return Seed(
        IncidentKind.REFUND_UNSETTLED,
        reference,
        lambda: settle_refund(refund.pk, receipt, via="webhook"),
        -400,
    )


def refund_made_at_the_provider(shop: Shop) -> Seed:
    reference = shop.give_back(reference_of(shop.paid()), 400, key="dashboard")
    return Seed(IncidentKind.REFUND_UNSETTLED, reference, lambda: shop.lose("refunds", reference), -400)


def refund_missing(shop: Shop) -> Seed:
    """It went, and days later the customer's bank sent it back."""
    refund = refunded(shop, 400)
    shop.rewrite("refunds", refund.provider_ref, status="failed", failure_reason="expired_or_canceled_card")
    shop.provider.write_books("UPDATE charges SET refunded = 0")
    return Seed(
        IncidentKind.REFUND_MISSING,
        refund.provider_ref,
        lambda: shop.rewrite("refunds", refund.provider_ref, status="succeeded"),
        400,
    )


def refund_unknown_to_the_provider(shop: Shop) -> Seed:
    refund = refunded(shop, 400)
    row = shop.lose("refunds", refund.provider_ref)
    return Seed(
        IncidentKind.REFUND_MISSING,
        refund.provider_ref,
        lambda: shop.put_back("refunds", row),
        400,
        repairable=False,
    )


def refund_failed(shop: Shop) -> Seed:
    refund = requested(shop.paid(), 400)
    refused = RefundReceipt(
        "", refund.attempt.provider_ref, RefundStatus.FAILED, 400, "GBP", detail="Not now."
    )
    settle_refund(refund.pk, refused, via="reply")
    return Seed(
        IncidentKind.REFUND_FAILED, f"refund:{refund.pk}", lambda: requested(refund.attempt.order, 400)
    )


def order_differs(shop: Shop) -> Seed:
    attempt, payment = shop.unanswered()
    shop.settle_quietly(attempt, payment)

    def undo() -> None:
        with transaction.atomic():
            mark_paid(attempt.order)

    return Seed(IncidentKind.ORDER_DIFFERS, f"order:{attempt.order_id}", undo)


def order_of_another_amount(shop: Shop) -> Seed:
    order = shop.paid()
    rows = Order.objects.filter(pk=order.pk)
    rows.update(amount=order.amount + 1)
    return Seed(
        IncidentKind.ORDER_DIFFERS,
        f"order:{order.pk}",
        lambda: rows.update(amount=order.amount),
        repairable=False,
    )


def refunds_do_not_add_up(shop: Shop) -> Seed:
    attempts = PaymentAttempt.objects.filter(pk=refunded(shop, 400).attempt_id)
    attempts.update(refunded=300)
    return Seed(
        IncidentKind.ORDER_DIFFERS,
        f"order:{attempts.get().order_id}",
        lambda: attempts.update(refunded=400),
        repairable=False,
    )


def not_refunded(shop: Shop) -> Seed:
    attempt, payment = shop.unanswered()
    cancel_order(attempt.order_id, "shopper")
    shop.settle_quietly(attempt, payment)
    return Seed(
        IncidentKind.NOT_REFUNDED, f"order:{attempt.order_id}", lambda: requested(attempt.order, None)
    )


def journal_differs(shop: Shop) -> Seed:
    attempt, payment = shop.unanswered()
    shop.settle_quietly(attempt, payment, booked=False)
    with transaction.atomic():
        mark_paid(attempt.order)
    Job.objects.all().delete()
    return Seed(
        IncidentKind.JOURNAL_DIFFERS,
        payment.reference,
        lambda: shop.book(attempt.order, payment),
    )


def stock_differs(shop: Shop) -> Seed:
    stock = StockItem.objects.filter(product__order_lines__order=shop.reserved())
    stock.update(reserved=F("reserved") + 3)
    return Seed(
        IncidentKind.STOCK_DIFFERS,
        f"product:{stock.get().pk}",
        lambda: stock.update(reserved=F("reserved") - 3),
    )


def unknown_too_long(shop: Shop) -> Seed:
    attempt = shop.asked(shop.reserved())
    long_ago = timezone.now() - timedelta(hours=30)
    PaymentAttempt.objects.filter(pk=attempt.pk).update(created_at=long_ago, updated_at=long_ago)

    def undo() -> None:
        settle(attempt.pk, shop.charge(attempt.order, key=attempt.idempotency_key), via="webhook")

    return Seed(IncidentKind.UNKNOWN_TOO_LONG, f"attempt:{attempt.pk}", undo)


def refund_unknown_too_long(shop: Shop) -> Seed:
    refund = requested(shop.paid(), 400)
    long_ago = timezone.now() - timedelta(hours=30)
    Refund.objects.filter(pk=refund.pk).update(created_at=long_ago, updated_at=long_ago)

    def undo() -> None:
        payment = refund.attempt.provider_ref
        reference = shop.give_back(payment, 400, key=refund.idempotency_key, refund=str(refund.pk))
        receipt = RefundReceipt(reference, payment, RefundStatus.SUCCEEDED, 400, "GBP")
        settle_refund(refund.pk, receipt, via="webhook")

    return Seed(IncidentKind.UNKNOWN_TOO_LONG, f"refund:{refund.pk}", undo)


def event_unplaced(shop: Shop) -> Seed:
    event = WebhookEvent.objects.create(
        provider="stripe",
        event_id="evt_1",
        kind="payment_intent.succeeded",
        object_ref=reference_of(shop.paid()),
        payload={},
        state=EventState.FAILED,
        detail="We did not have it then.",
        created_at=timezone.now(),
    )
    events = WebhookEvent.objects.filter(pk=event.pk)
    return Seed(
        IncidentKind.EVENT_UNPLACED,
        event.object_ref,
        lambda: events.update(state=EventState.PROCESSED),
    )


SEEDS: dict[str, Callable[[Shop], Seed]] = {
    seed.__name__: seed
    for seed in (
        amount_differs,
        capture_missing,
        capture_unsettled,
        capture_unsettled_of_a_cancelled_order,
        captured_twice,
        event_unplaced,
        journal_differs,
        not_refunded,
        order_differs,
        order_of_another_amount,
        refund_failed,
        refund_made_at_the_provider,
        refund_missing,
        refund_unknown_to_the_provider,
        refund_unknown_too_long,
        refund_unsettled,
        refunds_do_not_add_up,
        stock_differs,
        stray_capture,
        unknown_too_long,
    )
}


def reference_of(order: Order) -> str:
    return order.payment_attempts.get().provider_ref


def requested(order: Order, amount: int | None) -> Refund:
    """A refund that was asked for, and whose job was lost."""
    with transaction.atomic():
        [refund] = request_refund(locks.lock_order(order.pk), amount, reason="Broken.", actor="staff")
    Job.objects.all().delete()
    return refund


def refunded(shop: Shop, amount: int) -> Refund:
    """A refund that has gone."""
    refund = requested(shop.paid(), amount)
    reference = shop.give_back(
        refund.attempt.provider_ref, amount, key=refund.idempotency_key, refund=str(refund.pk)
    )
    receipt = RefundReceipt(reference, refund.attempt.provider_ref, RefundStatus.SUCCEEDED, amount, "GBP")
    settle_refund(refund.pk, receipt, via="reply")
    Job.objects.all().delete()
    refund.refresh_from_db()
    return refund
