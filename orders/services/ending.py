from django.db import transaction

from orders import locks
from orders.errors import NothingToRefund, TooLate
from orders.models import Order
from orders.payments.refunds import end_as_refunded, request_refund
from orders.services.stock import release_stock
from orders.states import HOLDS_STOCK, UNCHARGED, Status

#: What to tell somebody who wants to cancel an order that is past it.
TOO_LATE = {
    Status.FULFILLED: "It is on its way.",
    Status.COMPLETED: "It is complete.",
    Status.REJECTED: "It has been rejected.",
    Status.OUT_OF_STOCK: "It has ended: out of stock.",
    Status.PAYMENT_FAILED: "It has ended: the payment failed.",
    Status.REFUNDED: "It has ended: the money has been given back.",
}


def cancel_order(order_id: int, actor: str, reason: str = "") -> Order:
    """Call an order off, give its stock back, and its money. `actor` is the username of who wants it.

    Paid: all of the money is requested back in the same transaction. Being charged: nobody asks for the charge again,
    and the attempt that is open is looked up until its outcome is known; what was captured goes back then
    (`payments.resolving`). Cancelling a cancelled order changes nothing.
    Raises TooLate once the goods have left, or if the order has ended otherwise.
    """
    with transaction.atomic():
        order = locks.lock_order(order_id)
        if order.status in TOO_LATE:
            raise TooLate(TOO_LATE[Status(order.status)])
        was_paid = order.status == Status.PAID
        _cancel(order, actor=actor, reason=reason)
        if was_paid:
            _give_back(order, actor=actor, reason=reason or "The order was cancelled.")
        return order


def abandon_order(order_id: int, reason: str) -> Order:
    """Give up an order one of whose steps failed for good, and give its stock back.

    Once a payment has been started nothing is done: the provider may have the money, and only the payment's
    outcome can tell whether the order ends or goes on.
    """
    with transaction.atomic():
        order = locks.lock_order(order_id)
        if order.status in UNCHARGED:
            _cancel(order, actor="system", reason=reason)
        return order


def _cancel(order: Order, *, actor: str, reason: str) -> None:
    held = order.status in HOLDS_STOCK
    if order.transition_to(Status.CANCELLED, actor=actor, reason=reason) and held:
        release_stock(order)


def _give_back(order: Order, *, actor: str, reason: str) -> None:
    """Request what is left of the money: staff may have given back some of it before, or all."""
    try:
        request_refund(order, reason=reason, actor=actor)
    except NothingToRefund:
        end_as_refunded(order, actor=actor)
