from datetime import timedelta

from django.db import transaction
from django.db.models import CharField, Exists, OuterRef, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from orders import locks, pipeline
from orders.errors import NotStuck
from orders.models import Order
from orders.payments.incidents import is_refusing
from orders.states import Status
from proj.jobs.models import Job, State

#: About a second of work for one sweep; the next one, half a minute later, takes the next.
LIMIT = 500


def resume_stuck_orders(older_than: timedelta, *, limit: int = LIMIT) -> int:
    """Enqueue what is left of orders that have not moved for `older_than`; returns how many there were.

    An order that the ledger owes a job is not stuck, however long it waits: for a worker, or for its next try. What is left
    are orders whose job has died, or was cancelled by hand. One that is being worked on at this moment is left out, and one
    that was set going again counts as moved. While the provider refuses our requests nobody's payment is tried: it would
    only die again. When staff have closed that incident these orders go on by themselves.
    """
    now = timezone.now()
    owed = _owed().filter(subject=Concat(Value("order:"), Cast(OuterRef("pk"), CharField())))
    with transaction.atomic():
        unmoved = Order.objects.live().unmoved_since(now - older_than).exclude(Exists(owed))
        if is_refusing():
            unmoved = unmoved.exclude(status=Status.CHARGING)
        stuck = list(locks.skip_locked_orders(unmoved.order_by("updated_at"))[:limit])
        Order.objects.filter(pk__in=[order.pk for order in stuck]).update(updated_at=now)
        for order in stuck:
            pipeline.resume(order)
    return len(stuck)


def resume_order(order_id: int, *, actor: str) -> Order:
    """Enqueue what is left of one order, now and not when the sweep finds it.

    Raises NotStuck, and enqueues nothing, when it has ended or is owed a job already.
    """
    with transaction.atomic():
        order = locks.lock_order(order_id)
        if refusal := why_not_resume(order):
            raise NotStuck(refusal)
        order.updated_at = timezone.now()
        order.save(update_fields=["updated_at"])
        order.note("resumed", actor=actor)
        pipeline.resume(order)
        return order


def why_not_resume(order: Order, *, is_owed: bool | None = None) -> str:
    """Why there is nothing to set going again, as a sentence; empty if there is.

    `is_owed` says whether the ledger will still run a job of the order, for whoever knows; else it is asked.
    """
    if order.is_final:
        return "It has ended."
    if _owed().filter(subject=f"order:{order.pk}").exists() if is_owed is None else is_owed:
        return "Its next step is waiting for a worker or a next try, or is running."
    return ""


def _owed() -> QuerySet[Job]:
    """What the ledger will still run by itself: a dead job waits for people."""
    return Job.objects.exclude(state=State.DEAD)
