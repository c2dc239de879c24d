from django.db import transaction

from orders import locks
from orders.models import Order
from orders.states import Status


def validate_order(order_id: int) -> Order:
    """Check what was true when the order was placed, some time ago; reject it if it no longer is.

    Prices are not compared: the customer pays what was shown.
    """
    with transaction.atomic():
        order = locks.lock_order(order_id)
        if order.status == Status.PLACED:
            problem = _find_problem(order)
            if problem:
                order.transition_to(Status.REJECTED, actor="system", reason=problem)
            else:
                order.transition_to(Status.VALIDATED, actor="system")
        return order


def _find_problem(order: Order) -> str:
    """Why the order cannot be taken, as a sentence; empty if it can."""
    lines = list(order.lines.select_related("product"))
    for line in lines:
        if not line.product.active:
            return f"{line.sku} is no longer sold."
    if not lines or sum(line.total for line in lines) != order.amount:
        return "Its lines do not add up to its amount."
    return ""
