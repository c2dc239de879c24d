"""One list of two tables, for the API: what is owed or dead, newest first, and after that what has ended."""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, QuerySet
from django_celery_results.models import TaskResult

from proj.api.paging import MAX_LIMIT
from proj.api.problems import Problem
from proj.jobs import ledger, subjects
from proj.jobs.describing import STATES, describe_job, describe_result
from proj.jobs.models import Job
from proj.jobs.selecting import Owed, Selection


class Wanted(NamedTuple):
    """What narrows the list; None: any."""

    state: str | None
    task: str | None
    queue: str | None
    subject: str | None


class _Place(NamedTuple):
    """Where a page begins: after a row of one of the tables."""

    table: str  # "owed" or "ended"
    moment: str  # of an owed job: when it was enqueued
    id: str


def page(wanted: Wanted, cursor: str | None, limit: int) -> dict[str, Any]:
    """Return one page of jobs.

    Args:
        wanted: what narrows the list.
        cursor: ``next`` of the page before, or None for the first page.
        limit: jobs on the page, 1 to 100; a number outside is brought into that range.

    Returns:
        ``{"items": [...], "next": cursor or None}``.

    Raises:
        Problem: 422 when there is no such state, or the cursor is not one of ours.

    """
    limit = min(max(limit, 1), MAX_LIMIT)
    place = _decode(cursor) if cursor is not None else _Place("owed", "", "")
    now = ledger.now()
    found: list[tuple[_Place, dict[str, Any]]] = []
    if place.table == "owed":
        found = [
            (_Place("owed", job.created_at.isoformat(), job.pk), describe_job(job, now))
            for job in _owed(wanted, place)[: limit + 1]
        ]
        place = _Place("ended", "", "")
    # One more than the page holds says that there is another page.
    found += [
        (_Place("ended", "", str(result.pk)), describe_result(result))
        for result in _ended(wanted, place)[: limit + 1 - len(found)]
    ]
    return {
        "items": [described for _, described in found[:limit]],
        "next": _encode(found[limit - 1][0]) if len(found) > limit else None,
    }


def _owed(wanted: Wanted, place: _Place) -> QuerySet[Job]:
    if wanted.state is not None and wanted.state not in list(Owed):
        _stored_states(wanted.state)  # refuses what is no state at all
        return Job.objects.none()
    jobs = Selection(state=wanted.state, task=wanted.task, queue=wanted.queue, subject=wanted.subject).jobs()
    if place.id:
        moment = datetime.fromisoformat(place.moment)
        jobs = jobs.filter(created_at__lte=moment).exclude(created_at=moment, pk__gte=place.id)
    return jobs.defer("message")


def _ended(wanted: Wanted, place: _Place) -> QuerySet[TaskResult]:
    """Results of what is not owed any more: a dead job, and one that is replayed, have a result too."""
    if wanted.queue is not None or wanted.state == Owed.DEAD:
        return TaskResult.objects.none()
    rows = TaskResult.objects.filter(~Exists(Job.objects.filter(pk=OuterRef("task_id")))).order_by("-pk")
    if wanted.state is not None:
        rows = rows.filter(status__in=_stored_states(wanted.state))
    if wanted.task is not None:
        rows = rows.filter(task_name=wanted.task)
    if wanted.subject is not None:
        rows = rows.filter(task_id__in=subjects.task_ids(wanted.subject))
    return rows.filter(pk__lt=int(place.id)) if place.id else rows


def _stored_states(state: str) -> Sequence[str]:
    stored = [celery for celery, shown in STATES.items() if shown == state]
    if not stored and state not in list(Owed):
        known = sorted({*STATES.values(), *(each.value for each in Owed)})
        raise Problem(422, "unknown_state", f"state is one of {', '.join(known)}.")
    return stored


def _encode(place: _Place) -> str:
    return base64.urlsafe_b64encode("\n".join(place).encode()).decode()


def _decode(cursor: str) -> _Place:
    try:
        # PostgreSQL has no text with a NUL in it, so no cursor of ours has one.
        place = _Place(*base64.urlsafe_b64decode(cursor.encode()).decode().replace("\x00", "").split("\n", 2))
        is_ours = (
            datetime.fromisoformat(place.moment).tzinfo is not None
            if place.table == "owed"
            else place.table == "ended" and int(place.id) >= 0
        )
    except (binascii.Error, TypeError, ValueError):  # UnicodeError is a ValueError
        is_ours = False
    if not is_ours:
        raise Problem(422, "bad_cursor", "The cursor is not valid; pass on next of the page before.")
    return place
