from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from orders import locks, pipeline
from orders.models import Order

#: About a second of work for one sweep; the next one, half a minute later, takes the next.
LIMIT = 500


def resume_stuck_orders(older_than: timedelta, *, limit: int = LIMIT) -> int:
    """Enqueue what is left of orders that have not moved for `older_than`; returns how many there were.

    A message may have been lost, or may only be late: both do no harm, because a step that is done does nothing.
    An order that is being worked on at this moment is left out, and one that was set going again counts as
    moved, so that a long queue is not made longer with every sweep.
    """
    now = timezone.now()
    with transaction.atomic():
        unmoved = Order.objects.live().unmoved_since(now - older_than).order_by("updated_at")
        stuck = list(locks.skip_locked_orders(unmoved)[:limit])
        Order.objects.filter(pk__in=[order.pk for order in stuck]).update(updated_at=now)
        for order in stuck:
            pipeline.resume(order)
    return len(stuck)
