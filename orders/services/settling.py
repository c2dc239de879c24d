"""What follows from the outcome of a payment. Both need the transaction that stores the outcome with the attempt."""

from django.utils import timezone

from orders import pipeline
from orders.models import Order
from orders.models.notification import NotificationKind
from orders.services.notifying import announce
from orders.services.stock import release_stock
from orders.states import Status, Step, StepState


def mark_paid(order: Order, *, actor: str = "payments", **detail: str) -> bool:
    """The money is captured: enqueue the rest, and tell the customer. `detail` (such as provider_ref) is kept with the event.

    Returns False, and changes nothing, if that was known.
    """
    if not order.transition_to(Status.PAID, actor=actor, detail=detail):
        return False
    # A charge that failed for good may still turn out to have been paid: the timeline says so.
    charge = order.steps.filter(name=Step.CHARGE)
    charge.update(state=StepState.SUCCEEDED, error="", finished_at=timezone.now())
    pipeline.complete(order)
    announce(order, NotificationKind.PAID)
    return True


def mark_payment_failed(order: Order, reason: str, *, actor: str = "payments", **detail: str) -> bool:
    """The provider declined, for good: end the order, give its stock back and tell the customer why: `reason`.

    Returns False, and changes nothing, if that was known.
    """
    if not order.transition_to(Status.PAYMENT_FAILED, actor=actor, reason=reason, detail=detail):
        return False
    release_stock(order)
    announce(order, NotificationKind.PAYMENT_FAILED)
    return True
