"""What the tests of payments look at, and what they let the provider say."""

from dataclasses import replace

from django.db import transaction

from orders import locks
from orders.models import Order, Product
from orders.payments.gateway import Payment, PaymentStatus, RefundReceipt, RefundStatus
from orders.payments.models import Refund
from orders.payments.refunds import request_refund
from tests.sandbox import Sandbox


def attempts(order: Order) -> list[tuple[str, str, str]]:
    return list(order.payment_attempts.values_list("state", "error_code", "error_detail"))


def stock(product: Product) -> tuple[int, int]:
    product.stock.refresh_from_db()
    return product.stock.on_hand, product.stock.reserved


def refunds_of(provider: Sandbox, order: Order) -> list[tuple[int, str]]:
    """(minor units, currency) of each refund that the provider has made for an order."""
    return provider.read_books(
        """SELECT refunds.amount, refunds.currency FROM refunds JOIN intents ON intents.id = refunds.payment_intent
           WHERE refunds.status = 'succeeded' AND intents.body ->> '$.metadata.order' = ?
           ORDER BY refunds.number""",
        str(order.public_id),
    )


def captured(reference: str) -> Payment:
    return Payment(reference, PaymentStatus.SUCCEEDED, 1000, "GBP")


def ask_back(order: Order, amount: int | None = None) -> list[Refund]:
    with transaction.atomic():
        return request_refund(locks.lock_order(order.pk), amount, reason="It was broken.", actor="ann")


def receipt(refund: Refund, status: RefundStatus, **changes: object) -> RefundReceipt:
    made = RefundReceipt("re_1", refund.attempt.provider_ref, status, refund.amount, "GBP", str(refund.pk))
    return replace(made, **changes)


def see(refund: Refund) -> tuple[str, str, int]:
    """The state of the refund, that of its order, and what the attempt says goes back."""
    refund = Refund.objects.select_related("attempt__order").get(pk=refund.pk)
    return refund.state, refund.attempt.order.status, refund.attempt.refunded
