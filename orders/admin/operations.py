"""What staff may do with an order: which of it is possible now, why the rest is not, and what it means for the money."""

from dataclasses import dataclass

from orders.balance import Balance
from orders.models import Order
from orders.money import format_money
from orders.services.ending import TOO_LATE
from orders.states import Status


@dataclass(frozen=True)
class Operation:
    """One button: `refusal` is why it cannot be pressed now; empty if it can."""

    name: str
    label: str
    refusal: str


def why_not_cancel(order: Order) -> str:
    """Return why an order cannot be called off, as a sentence; empty if it can."""
    if order.status == Status.CANCELLED:
        return "It is cancelled."
    return TOO_LATE.get(Status(order.status), "")


def why_not_refund(balance: Balance) -> str:
    """Return why nothing can be given back, as a sentence; empty if something can."""
    if balance.left:
        return ""
    if balance.captured:
        return f"All of {format_money(balance.captured, balance.currency)} has gone back, or is about to."
    if balance.is_open:
        return "Its payment has no outcome yet."
    return "Nothing was paid."


def tell_after(balance: Balance) -> str:
    """Return what is to become of the money of an order that is called off, as a part of a sentence."""
    if balance.is_open:
        return "its payment is being looked up: whatever was taken goes back"
    if balance.left + balance.returning:
        return f"{format_money(balance.left + balance.returning, balance.currency)} goes back"
    return "nothing was taken" if balance.is_uncharged else "all that was paid has gone back"
