"""A schedule's row: which slots it names, how a run of it is enqueued, how it begins anew."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from celery import Celery, current_app
from django.urls import reverse
from django_celery_beat.models import PeriodicTask
from kombu.utils.json import loads

from proj.jobs.ledger import now as database_now
from proj.jobs.message import SUBJECT
from proj.jobs.models import SchedulePolicy, SkippedSlots
from proj.jobs.slots import Clocked, Crontab, Interval, Solar, Timing
from proj.jobs.subjects import Subject

#: The namespace of the ids of scheduled jobs. Never to be changed: it is what makes a slot's job the same everywhere.
NAMESPACE = UUID("8d0b6d0e-6f0c-5a1c-9a41-6d6c1b1f2f5e")
#: How long the records of skipped slots are kept: as long as somebody may wonder.
KEPT = timedelta(days=90)
DAWN = datetime.min.replace(tzinfo=UTC)
EXPRESSIONS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
TIMINGS = ("interval", "crontab", "solar", "clocked")


def job_id(schedule_id: int, slot: datetime) -> str:
    """Return the id of the job of a slot: the same on every beat, so the ledger takes it once."""
    return str(uuid5(NAMESPACE, f"{schedule_id}:{slot.astimezone(UTC).isoformat()}"))


def subject(schedule_id: int) -> str:
    """Return what the jobs of a schedule are about."""
    return f"schedule:{schedule_id}"


def resolve(identity: str) -> Subject | None:
    """Return the schedule with a primary key, as what its jobs are about; it has a page for staff alone."""
    if not (identity.isdecimal() and PeriodicTask.objects.filter(pk=identity).exists()):
        return None
    url = reverse("admin:django_celery_beat_periodictask_change", args=[identity])
    return Subject(subject(int(identity)), None, url)


def policy_of(schedule: PeriodicTask) -> SchedulePolicy:
    """Return the policy of a schedule; the defaults when nobody has decided anything."""
    policy: SchedulePolicy | None = getattr(schedule, "policy", None)
    return policy or SchedulePolicy(periodic_task=schedule)


def timing_of(schedule: PeriodicTask) -> Timing:
    """Return what names the slots of a schedule.

    Raises:
        ValueError: its crontab says nothing.
        ImproperlyConfigured: it follows the sun, and the ``ephem`` package is not installed.

    """
    if schedule.crontab:
        cron = schedule.crontab
        return Crontab.parse(cron.timezone, **{name: getattr(cron, name) for name in EXPRESSIONS})
    if schedule.interval:
        anchor = schedule.start_time or schedule.last_run_at or schedule.date_changed
        return Interval(anchor, timedelta(**{schedule.interval.period: schedule.interval.every}))
    if schedule.clocked:
        return Clocked(schedule.clocked.clocked_time)
    sun = schedule.solar
    return Solar(sun.event, float(sun.latitude), float(sun.longitude))


def decided_until(schedule: PeriodicTask) -> datetime:
    """Return the moment up to which nothing is left to decide: the last slot, or when the schedule was made.

    Disabling a schedule forgets its last slot, as ever with django-celery-beat: enabled again, it begins anew.
    """
    fallback = DAWN if schedule.clocked_id else schedule.date_changed
    since: datetime = schedule.last_run_at or fallback
    if schedule.start_time:
        since = max(since, schedule.start_time - timedelta.resolution)
    return since


def next_slots(schedule: PeriodicTask, now: datetime, count: int) -> list[datetime]:
    """Return the next runs of a schedule, as it is now: at most ``count``, one of a schedule that runs once."""
    if not schedule.enabled:
        return []
    since = max(now, decided_until(schedule))
    slots = itertools.islice(timing_of(schedule).after(since), 1 if schedule.one_off else count)
    return [slot for slot in slots if not schedule.expires or slot < schedule.expires]


def enqueue(app: Celery, schedule: PeriodicTask, task_id: str, *, slot: datetime | None = None) -> None:
    """Enqueue a run of a schedule under an id that is enqueued only once.

    The task finds the schedule's name and the slot in ``self.request``: ``periodic_task_name`` and ``slot`` (ISO 8601).

    Raises:
        ValueError: the arguments are not JSON.
        TypeError: they do not fit the task.

    """
    headers = {**loads(schedule.headers or "{}"), "periodic_task_name": schedule.name}
    headers |= {SUBJECT: subject(schedule.pk), "slot": slot.isoformat() if slot else None}
    options: dict[str, Any] = {
        "queue": schedule.queue,
        "exchange": schedule.exchange,
        "routing_key": schedule.routing_key,
        "priority": schedule.priority,
        "expires": schedule.expires_,
    }
    options = {name: value for name, value in options.items() if value is not None}
    send: Any = app.tasks[schedule.task].apply_async if schedule.task in app.tasks else None
    args, kwargs = loads(schedule.args or "[]"), loads(schedule.kwargs or "{}")
    if send is not None:
        send(args, kwargs, task_id=task_id, headers=headers, **options)
    else:
        app.send_task(schedule.task, args, kwargs, task_id=task_id, headers=headers, **options)


def run_now(schedule: PeriodicTask, request_id: UUID) -> str:
    """Enqueue a run of a schedule at once, beside its slots; return the job's id.

    Asked for again with the same ``request_id`` (a second click), nothing is added.
    """
    task_id = str(uuid5(request_id, str(schedule.pk)))
    enqueue(current_app, schedule, task_id)
    return task_id


def start_anew(schedule_ids: list[int]) -> None:
    """Forget what was due before now: the schedules were enabled, or their times were changed.

    Called in the transaction that does so.
    """
    waiting = SchedulePolicy.objects.filter(pk__in=schedule_ids).exclude(waiting_slot=None)
    slots: Any = waiting.values_list("pk", "waiting_slot")
    for schedule_id, slot in slots:
        restarted = SkippedSlots.Reason.RESTARTED
        SkippedSlots.objects.create(
            periodic_task_id=schedule_id, reason=restarted, first=slot, last=slot, size=1
        )
    waiting.update(waiting_slot=None)
    PeriodicTask.objects.filter(pk__in=schedule_ids).update(last_run_at=None, date_changed=database_now())


def purge_skipped_slots(limit: int, now: datetime) -> int:
    """Delete records of slots that were skipped long ago."""
    old = SkippedSlots.objects.filter(last__lt=now - KEPT).order_by("last").values("pk")[:limit]
    deleted, _ = SkippedSlots.objects.filter(pk__in=old).delete()
    return deleted
