"""What reports deletes when it is old: its own reports, and what Django and Celery leave behind in the database.

Each purge is one bounded batch, found through an index, oldest first: its price does not depend on how much there is.
"""

import json
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Model, QuerySet
from django_celery_results.models import (  # type: ignore[attr-defined]  # the stubs lack the counter
    ChordCounter,
    GroupResult,
    TaskResult,
)

from proj.jobs import retention
from reports import files
from reports.models import Report

# A year and a month: last year's month can be compared with this year's.
REPORTS_KEPT = timedelta(days=396)

RESULTS = "task results"
GROUPS = "group results"
CHORDS = "chord counters"


def register_all() -> None:
    """Add the purges to the nightly clean-up."""
    # Before the results, which tell how old a chord is.
    retention.register(CHORDS, purge_chord_counters)
    retention.register(RESULTS, purge_task_results)
    retention.register(GROUPS, purge_group_results)
    retention.register("sessions", purge_sessions)
    retention.register("reports", purge_reports)


def delete_batch(expired: QuerySet[Any, Any], limit: int) -> int:
    """Delete the first ``limit`` rows of a queryset in one statement; the rows are neither loaded nor cascaded from.

    Returns:
        How many rows were deleted.
    """
    model: type[Model] = expired.model
    batch = list(expired.values_list("pk", flat=True)[:limit])
    deleted, _ = model._base_manager.filter(pk__in=batch).delete()  # noqa: SLF001  public in Django's documentation
    return deleted


def purge_task_results(limit: int, now: datetime) -> int:
    """Delete results older than ``CELERY_RESULT_EXPIRES``."""
    cutoff = now - settings.CELERY_RESULT_EXPIRES
    return delete_batch(TaskResult.objects.filter(date_done__lt=cutoff).order_by("date_done"), limit)


def purge_group_results(limit: int, now: datetime) -> int:
    """Delete results of groups older than ``CELERY_RESULT_EXPIRES``."""
    cutoff = now - settings.CELERY_RESULT_EXPIRES
    return delete_batch(GroupResult.objects.filter(date_done__lt=cutoff).order_by("date_done"), limit)


def purge_chord_counters(limit: int, now: datetime) -> int:
    """Delete counters of chords that will never be complete: django-celery-results keeps them for ever.

    A counter has no date. But its tasks' results have, and ids grow with time: with one counter whose task is
    older than ``CELERY_RESULT_EXPIRES``, every counter made before it is as old.
    """
    cutoff = now - settings.CELERY_RESULT_EXPIRES
    oldest = list(ChordCounter.objects.order_by("pk").values_list("pk", "sub_tasks")[:limit])
    tasks = {task_id: pk for pk, sub_tasks in oldest for task_id in _task_ids(sub_tasks)}
    expired = TaskResult.objects.filter(task_id__in=tasks, date_created__lt=cutoff).values_list(
        "task_id", flat=True
    )
    newest_expired = max((tasks[task_id] for task_id in expired), default=0)
    return delete_batch(ChordCounter.objects.filter(pk__lte=newest_expired).order_by("pk"), limit)


def _task_ids(sub_tasks: str) -> list[str]:
    """Return the ids in a counter's JSON: a list of ``[[task id, parent], children]``."""
    return [task_id for (task_id, _parent), _children in json.loads(sub_tasks)]


def purge_sessions(limit: int, now: datetime) -> int:
    """Delete sessions that have run out. Django's ``clearsessions`` deletes them all in one statement."""
    return delete_batch(Session.objects.filter(expire_date__lt=now).order_by("expire_date"), limit)


def purge_reports(limit: int, now: datetime) -> int:
    """Delete old reports: the file first, so that a crash between leaves a row to try again, not a lost file."""
    old = Report.objects.filter(created_at__lt=now - REPORTS_KEPT).order_by("created_at")[:limit]
    batch = list(old)
    for report in batch:
        files.discard_all(report)
    Report.objects.filter(pk__in=[report.pk for report in batch]).delete()
    return len(batch)
