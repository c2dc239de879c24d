"""People, products and orders for tests: keyword builders with unique defaults, and no messages to the broker."""

from collections.abc import Mapping
from itertools import count
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from orders import services
from orders.models import Notification, Order, OrderLine, OrderStep, Product, Sale, StockItem
from orders.payments.models import AttemptState, PaymentAttempt, Refund, RefundState
from orders.states import Status, Step

PASSWORD = "correct horse battery staple"

_sequence = count(1)

# How an order in each status got there.
_PATHS: dict[Status, list[Status]] = {
    Status.PLACED: [],
    Status.VALIDATED: [Status.VALIDATED],
    Status.RESERVED: [Status.VALIDATED, Status.RESERVED],
    Status.CHARGING: [Status.VALIDATED, Status.RESERVED, Status.CHARGING],
    Status.PAID: [Status.VALIDATED, Status.RESERVED, Status.CHARGING, Status.PAID],
    Status.FULFILLED: [Status.VALIDATED, Status.RESERVED, Status.CHARGING, Status.PAID, Status.FULFILLED],
    Status.COMPLETED: [
        Status.VALIDATED,
        Status.RESERVED,
        Status.CHARGING,
        Status.PAID,
        Status.FULFILLED,
        Status.COMPLETED,
    ],
    Status.REJECTED: [Status.REJECTED],
    Status.OUT_OF_STOCK: [Status.VALIDATED, Status.OUT_OF_STOCK],
    Status.PAYMENT_FAILED: [Status.VALIDATED, Status.RESERVED, Status.CHARGING, Status.PAYMENT_FAILED],
    Status.CANCELLED: [Status.CANCELLED],
    Status.REFUNDED: [Status.CANCELLED, Status.REFUNDED],
}


def make_user(username: str | None = None, **fields: Any) -> User:
    """A customer with the password ``PASSWORD``."""
    name = username or f"person{next(_sequence)}"
    return User.objects.create_user(
        name, fields.pop("email", f"{name}@example.com"), **{"password": PASSWORD, **fields}
    )


def make_product(sku: str | None = None, *, on_hand: int = 100, reserved: int = 0, **fields: Any) -> Product:
    """A product at 2.50 with stock."""
    sku = sku or f"SKU{next(_sequence)}"
    product = Product.objects.create(sku=sku, **{"name": f"Product {sku}", "amount": 250, **fields})
    StockItem.objects.create(product=product, on_hand=on_hand, reserved=reserved)
    return product


def make_order(
    lines: Mapping[Product, int] | None = None, *, status: Status = Status.PLACED, **fields: Any
) -> Order:
    """An order in any status, with the stock, steps, sale and notification that belong to it.

    ``lines`` maps products to quantities; without it the order has one line of two pieces of a new product.
    """
    wanted = lines if lines is not None else {make_product(): 2}
    with transaction.atomic():
        order = Order.objects.create(
            **{
                "customer": fields.pop("customer", None) or make_user(),
                "amount": sum(product.amount * quantity for product, quantity in wanted.items()),
                "currency": "GBP",
                **fields,
            }
        )
        OrderLine.objects.bulk_create(
            OrderLine(
                order=order,
                product=product,
                sku=product.sku,
                name=product.name,
                quantity=quantity,
                amount=product.amount,
            )
            for product, quantity in wanted.items()
        )
        OrderStep.objects.bulk_create(OrderStep(order=order, name=step) for step in Step)
        order.note("placed", actor=order.customer.get_username())
        for following in _PATHS[status]:
            _move(order, following)
    order.refresh_from_db()
    return order


def _move(order: Order, status: Status) -> None:
    match status:
        case Status.RESERVED:
            assert services.reserve_stock(order.pk).status == status
        case Status.FULFILLED:
            assert services.fulfil_order(order.pk).status == status
        case Status.PAYMENT_FAILED:
            order.transition_to(status, actor="payments", reason="Declined.")
            services.release_stock(order)
        case Status.COMPLETED:
            now = timezone.now()
            Sale.objects.create(
                order=order, day=now.date(), amount=order.amount, currency=order.currency, items=1
            )
            Notification.objects.create(order=order, kind="fulfilled", sent_at=now)
            assert services.complete_if_done(order)
        case _:
            order.transition_to(status, actor="system")


def make_payment(order: Order, **fields: Any) -> PaymentAttempt:
    """The order's money, captured at the provider; ``state`` may say otherwise."""
    number = order.payment_attempts.count() + 1
    return PaymentAttempt.objects.create(
        **{
            "order": order,
            "number": number,
            "idempotency_key": f"order-{order.public_id}-{number}",
            "amount": order.amount,
            "currency": order.currency,
            "payment_method": order.payment_method,
            "state": AttemptState.SUCCEEDED,
            **fields,
        }
    )


def make_refund(payment: PaymentAttempt, amount: int, **fields: Any) -> Refund:
    """A part of a payment that has gone back; ``state`` may say otherwise."""
    refund = Refund.objects.create(
        **{
            "attempt": payment,
            "idempotency_key": f"refund-{payment.order.public_id}-{payment.refunds.count() + 1}",
            "amount": amount,
            "currency": payment.currency,
            "reason": "It came broken.",
            "requested_by": "boss",
            "state": RefundState.SUCCEEDED,
            **fields,
        }
    )
    if refund.state != RefundState.FAILED:
        PaymentAttempt.objects.filter(pk=payment.pk).update(refunded=F("refunded") + amount)
    return refund
