from django.db import transaction
from django.utils import timezone

from orders import locks
from orders.models import Notification, Order, Sale
from orders.models.notification import NotificationKind
from orders.payments.refunds import end_as_refunded
from orders.services.stock import take_stock
from orders.states import Status


def fulfil_order(order_id: int) -> Order:
    """Take the goods of a paid order out of the stock: on hand and reserved go down together."""
    with transaction.atomic():
        order = locks.lock_order(order_id)
        if order.status == Status.PAID:
            order.transition_to(Status.FULFILLED, actor="system")
            take_stock(order)
        return order


def record_sale(order_id: int) -> Order:
    """Enter a fulfilled order in the books, on the day it was placed: the same day however late this runs."""
    with transaction.atomic():
        order = locks.lock_order(order_id)
        if order.status == Status.FULFILLED:
            Sale.objects.get_or_create(
                order=order,
                defaults={
                    "day": timezone.localdate(order.placed_at),
                    "amount": order.amount,
                    "currency": order.currency,
                    "items": sum(order.lines.values_list("quantity", flat=True)),
                },
            )
            complete_if_done(order)
        return order


def complete_if_done(order: Order) -> bool:
    """End a fulfilled order once the customer knows and the sale is recorded. Needs a transaction.

    Both sides call this while they hold the lock on the order, so whoever is second sees the first.
    """
    done = (
        Sale.objects.filter(order=order).exists()
        and Notification.objects.settled().filter(order=order, kind=NotificationKind.FULFILLED).exists()
    )
    if not done or not order.transition_to(Status.COMPLETED, actor="system"):
        return False
    end_as_refunded(order, actor="system")  # all of it may have gone back while the goods were on their way
    return True
