from django.db import transaction

from orders import locks
from orders.errors import TooLate
from orders.models import Order
from orders.services.stock import release_stock
from orders.states import Status

#: What to tell somebody who wants to cancel an order that is past it.
TOO_LATE = {
    Status.CHARGING: "Its payment has been started.",
    Status.PAID: "It has been paid.",
    Status.FULFILLED: "It is on its way.",
    Status.COMPLETED: "It is complete.",
    Status.REJECTED: "It has been rejected.",
    Status.OUT_OF_STOCK: "It has ended: out of stock.",
    Status.PAYMENT_FAILED: "It has ended: the payment failed.",
}


def cancel_order(order_id: int, actor: str, reason: str = "") -> Order:
    """Call an order off and give its stock back. `actor` is the username of who wants it.

    Cancelling a cancelled order changes nothing. Raises TooLate once a payment has been started.
    """
    with transaction.atomic():
        order = locks.lock_order(order_id)
        if order.status in TOO_LATE:
            raise TooLate(TOO_LATE[Status(order.status)])
        _cancel(order, actor=actor, reason=reason)
        return order


def abandon_order(order_id: int, reason: str) -> Order:
    """Give up an order one of whose steps failed for good, and give its stock back.

    Once a payment has been started nothing is done: the provider may have the money, and only the payment's
    outcome can tell whether the order ends or goes on.
    """
    with transaction.atomic():
        order = locks.lock_order(order_id)
        if order.is_cancellable:
            _cancel(order, actor="system", reason=reason)
        return order


def _cancel(order: Order, *, actor: str, reason: str) -> None:
    held = order.status == Status.RESERVED
    if order.transition_to(Status.CANCELLED, actor=actor, reason=reason) and held:
        release_stock(order)
