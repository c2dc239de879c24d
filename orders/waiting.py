"""Why an order that waits does not move, in words for its customer. Who has paused what, and why, is for staff to read."""

from orders.models import Order
from orders.states import Status
from proj.jobs import pausing

#: In these the next step asks for the money.
BEFORE_PAYMENT = frozenset({Status.RESERVED, Status.CHARGING})


def why_it_waits(order: Order) -> str:
    """Return why nothing happens to an order at the moment, as sentences; empty if something does.

    One query; none for an order that is over.
    """
    if order.is_final or not pausing.holds(f"order:{order.pk}"):
        return ""
    paused = "Payments are" if order.status in BEFORE_PAYMENT else "Work on orders is"
    return f"{paused} paused for the moment. Your order keeps its place."
