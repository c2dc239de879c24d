from datetime import timedelta

from django.db import transaction
from django.db.models import CharField, Exists, OuterRef, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from orders import locks, pipeline
from orders.models import Order
from proj.jobs.models import Job, State

#: About a second of work for one sweep; the next one, half a minute later, takes the next.
LIMIT = 500


def resume_stuck_orders(older_than: timedelta, *, limit: int = LIMIT) -> int:
    """Enqueue what is left of orders that have not moved for `older_than`; returns how many there were.

    An order that the ledger owes a job is not stuck, however long it waits: for a worker, or for its next try. What is left
    are orders whose job has died, or was cancelled by hand. One that is being worked on at this moment is left out, and one
    that was set going again counts as moved.
    """
    now = timezone.now()
    owed = Job.objects.exclude(state=State.DEAD).filter(
        subject=Concat(Value("order:"), Cast(OuterRef("pk"), CharField()))
    )
    with transaction.atomic():
        unmoved = Order.objects.live().unmoved_since(now - older_than).exclude(Exists(owed))
        stuck = list(locks.skip_locked_orders(unmoved.order_by("updated_at"))[:limit])
        Order.objects.filter(pk__in=[order.pk for order in stuck]).update(updated_at=now)
        for order in stuck:
            pipeline.resume(order)
    return len(stuck)
