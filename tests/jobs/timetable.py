"""Schedules to test with: rows whose slots are due, and what has become of those."""

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import uuid4

from celery import shared_task
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from proj.jobs import ledger, schedules
from proj.jobs.models import Job, SchedulePolicy, SkippedSlots

HOUR = timedelta(hours=1)


@shared_task(name="tests.scheduled", queue="default", schedulable=True, soft_time_limit=20, time_limit=30)
def scheduled(number: int = 0) -> int:
    """Stands for work that is scheduled."""
    return number


def every(period: timedelta = HOUR, **fields: Any) -> PeriodicTask:
    """Create a schedule whose last slot was half a period ago."""
    unit = "seconds" if period >= timedelta(seconds=1) else "microseconds"
    interval, _ = IntervalSchedule.objects.get_or_create(every=period / timedelta(**{unit: 1}), period=unit)
    fields = {"last_run_at": timezone.now() - period / 2, "task": "tests.scheduled", **fields}
    return PeriodicTask.objects.create(name=f"Schedule {uuid4()}", interval=interval, **fields)


def missed(slots: int, policy: dict[str, Any] | None = None, **fields: Any) -> PeriodicTask:
    """Create an hourly schedule of which the last so many slots are due, the latest half an hour ago."""
    schedule = every(last_run_at=timezone.now() - slots * HOUR - HOUR / 2, **fields)
    if policy is not None:
        SchedulePolicy.objects.create(periodic_task=schedule, **policy)
    return schedule


def skipped(schedule: PeriodicTask) -> dict[str, int]:
    """Return how many slots were skipped, by reason."""
    return {row.reason: row.size for row in SkippedSlots.objects.filter(periodic_task=schedule)}


def slots_of(schedule: PeriodicTask) -> list[str]:
    """Return the slots whose jobs are in the ledger, in order."""
    jobs = Job.objects.filter(subject=schedules.subject(schedule.pk))
    return sorted(message["headers"]["slot"] for message in jobs.values_list("message", flat=True))


def end(job: Job) -> None:
    """Let a worker run a job."""
    claim = ledger.claim(job.pk, task=job.task, retries=0, worker="test", seconds=30)
    ledger.finish(claim, None)


def said(caplog: Any) -> list[str]:
    """Return what the scheduler has logged."""
    return [record.message for record in caplog.records if record.name == "proj.jobs.scheduler"]


def complaints(caplog: Any) -> Counter[str]:
    """Count what the scheduler has logged by who it is about."""
    return Counter(message.split(":")[0] for message in said(caplog))
