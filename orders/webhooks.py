"""What happens to an order and is told outside: to the endpoints that its customer has registered for webhooks.

The names of events, and what is in them, are a promise to other people's programs: they may grow, and never change.
"""

from typing import TYPE_CHECKING, Any, Final

from proj.hooks import kinds
from proj.hooks.emitting import emit

if TYPE_CHECKING:  # at run time the models import this module
    from orders.models import OrderEvent

#: By the kind of the order's event. What is not in here, such as its steps inside the shop, is told to nobody.
TOLD: Final = {
    "placed": "The order was accepted.",
    "paid": "The payment has arrived.",
    "fulfilled": "The goods are on their way.",
    "completed": "All is done.",
    "rejected": "The order was refused: a check failed.",
    "out_of_stock": "Something in the order could not be had.",
    "payment_failed": "The payment was declined.",
    "cancelled": "The order was called off.",
    "refunded": "All that was paid has gone back.",
    "refund_requested": "Money is to go back.",
    "refund_succeeded": "Money has gone back.",
    "refund_failed": "Money that was to go back did not.",
}
_EXAMPLE: Final = {
    "id": "0b2f3a52-6a1c-4c86-9b0e-8f2a53a1f6d0",
    "status": "paid",
    "amount": 1299,
    "currency": "GBP",
    "reason": "",
}
_REFUND: Final = {"refund": {"amount": 500, "currency": "GBP"}}


def register_all() -> None:
    """Make known what may be subscribed to."""
    for name, words in TOLD.items():
        kinds.register(f"order.{name}", words, _EXAMPLE | (_REFUND if name.startswith("refund_") else {}))


def tell(event: "OrderEvent") -> None:
    """Owe an event of an order to whoever subscribed to it, in the transaction that writes the event."""
    # A part of the money that went back is an event without a change of status; all of it changes the status as well.
    is_part = event.kind == "refunded" and not event.from_status
    name = "refund_succeeded" if is_part else str(event.kind)
    if name not in TOLD:
        return
    order = event.order
    data: dict[str, Any] = {
        "id": str(order.public_id),
        "status": event.to_status,
        "amount": order.amount,
        "currency": order.currency,
        "reason": event.detail.get("reason", ""),
    }
    if name.startswith("refund_"):
        data["refund"] = {key: event.detail[key] for key in ("amount", "currency")}
    emit(order.customer_id, f"order.{name}", data, key=f"order-event:{event.pk}", at=event.created_at)
