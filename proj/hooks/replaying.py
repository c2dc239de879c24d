"""Sending again: one delivery, all that failed, or what has lost its job; and a ping, to try an endpoint out."""

import uuid
from datetime import datetime, timedelta

from celery import signature
from django.db import transaction
from django.db.models import CharField, Exists, OuterRef, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from proj.hooks import kinds
from proj.hooks.emitting import body_of, enqueue, event_id
from proj.hooks.models import Delivery, Endpoint, State
from proj.jobs.models import Job
from proj.jobs.models import State as JobState

#: About a second of work for one sweep; the next takes the next.
LIMIT = 1000
#: What killed a job would kill the next as well: it gets its time to be mended, and one more dead job an hour is kept.
MOURNED = timedelta(hours=1)


class SwitchedOff(Exception):  # noqa: N818
    """The endpoint is off: nothing is sent to it."""


def replay_delivery(delivery: Delivery) -> None:
    """Send a delivery again, now, whatever came of it; it has all its tries again. Its webhook-id stays the same.

    Raises SwitchedOff, and does nothing, while its endpoint is off.
    """
    with transaction.atomic():
        endpoint = _awake(delivery.endpoint_id)
        endpoint.deliveries.filter(pk=delivery.pk).update(
            state=State.PENDING, tries=0, due_at=timezone.now(), settled_at=None, error=""
        )
        enqueue([delivery.pk])


def replay_failed(endpoint: Endpoint, *, since: datetime | None = None) -> int:
    """Send again what was given up, of the events from `since` on; returns how many they are.

    Raises SwitchedOff, and does nothing, while the endpoint is off.
    """
    with transaction.atomic():
        failed = _awake(endpoint.pk).deliveries.failed()
        if since is not None:
            failed = failed.filter(created_at__gte=since)
        count = failed.update(state=State.PENDING, tries=0, due_at=timezone.now(), settled_at=None, error="")
        if count:  # there may be many: whoever asked does not wait while their jobs are written
            signature("hooks.resume_waiting", immutable=True).apply_async()
    return count


def resume_waiting(limit: int = LIMIT) -> int:
    """Owe the jobs of deliveries that are due and have none: they were replayed, or their job was cancelled, or died a while ago.

    Returns how many there were. When there may be more, the rest follows at once.
    """
    now = timezone.now()
    owed = Job.objects.filter(subject=Concat(Value("delivery:"), Cast(OuterRef("pk"), CharField())))
    owed = owed.exclude(state=JobState.DEAD, created_at__lt=now - MOURNED)
    with transaction.atomic():
        due = Delivery.objects.pending().filter(due_at__lte=now).exclude(Exists(owed))
        waiting = list(
            due.order_by("due_at")
            .select_for_update(skip_locked=True, no_key=True)
            .values_list("pk", flat=True)[:limit]
        )
        enqueue(waiting)
        if len(waiting) == limit:
            signature("hooks.resume_waiting", immutable=True).apply_async()
    return len(waiting)


def ping(endpoint: Endpoint) -> Delivery:
    """Send an endpoint an event that says nothing, and return its delivery.

    Raises SwitchedOff, and does nothing, while the endpoint is off.
    """
    now = timezone.now()
    with transaction.atomic():
        delivery = Delivery.objects.create(
            endpoint=_awake(endpoint.pk),
            event_id=event_id(f"ping:{uuid.uuid4()}"),
            kind=kinds.PING,
            body=body_of(kinds.PING, kinds.registered()[kinds.PING].example, now),
        )
        enqueue([delivery.pk])
    return delivery


def _awake(endpoint_id: int) -> Endpoint:
    """The endpoint, locked, and not left alone any longer: a person says that it works."""
    endpoint = Endpoint.objects.locked().get(pk=endpoint_id)
    if not endpoint.is_on:
        raise SwitchedOff
    if endpoint.quiet_until is not None:
        endpoint.quiet_until = None
        endpoint.save(update_fields=["quiet_until"])
    return endpoint
