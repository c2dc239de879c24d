"""The state of background jobs, for whoever owns the work, and for staff."""

import json
from datetime import datetime
from typing import Any

from celery import states
from django.http import Http404, HttpRequest
from django_celery_results.models import TaskResult
from ninja import Query, Router, Schema

from proj.api.paging import paginate
from proj.api.problems import Problem
from proj.jobs import subjects
from proj.jobs.task import PROGRESS

router = Router(tags=["jobs"])

# What clients read, for what Celery stores.
STATES = {
    states.PENDING: "queued",
    states.RECEIVED: "queued",
    states.STARTED: "running",
    PROGRESS: "running",
    states.SUCCESS: "succeeded",
    states.FAILURE: "dead",
    states.RETRY: "retrying",
    states.REVOKED: "cancelled",
}


class Progress(Schema):
    done: int
    total: int
    step: str


class JobOut(Schema):
    id: str
    task: str | None
    state: str
    subject: str | None
    progress: Progress | None
    error: str | None
    created_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


class JobPage(Schema):
    items: list[JobOut]
    next: str | None


class JobFilter(Schema):
    state: str | None = None
    task: str | None = None
    subject: str | None = None
    cursor: str | None = None
    limit: int = 50


@router.get("/jobs/{job_id}", response=JobOut, summary="The state of one job")
def read_job(request: HttpRequest, job_id: str) -> dict[str, Any]:
    """For the owner of what the job works on, and for staff; for anybody else there is no such job."""
    subject = subjects.find(job_id)
    owned = subject is not None and subject.owner_id == request.user.pk
    if not (owned or request.user.is_staff):
        raise Http404
    result = TaskResult.objects.filter(task_id=job_id).first()
    if result is None and subject is None:
        raise Http404
    return describe(result, subject) if result else _queued(job_id, subject)


@router.get("/jobs", response=JobPage, summary="Jobs, newest first (staff)")
def list_jobs(request: HttpRequest, filters: Query[JobFilter]) -> dict[str, Any]:
    """Jobs with a stored state. ``state`` and ``task`` narrow the list."""
    if not request.user.is_staff:
        raise Problem(403, "forbidden", "Only staff may list jobs.")
    rows = TaskResult.objects.all()
    if filters.state is not None:
        rows = rows.filter(status__in=_stored_states(filters.state))
    if filters.task is not None:
        rows = rows.filter(task_name=filters.task)
    return paginate(
        rows, filters.cursor, filters.limit, lambda row: describe(row, subjects.find(row.task_id))
    )


def describe(result: TaskResult, subject: subjects.Subject | None) -> dict[str, Any]:
    """Return a stored result as the API shows it."""
    stored = json.loads(result.result) if result.result else None
    finished = result.status in states.READY_STATES
    return {
        "id": result.task_id,
        "task": result.task_name,
        "state": STATES.get(result.status, "running"),
        "subject": subject.label if subject else None,
        "progress": stored if result.status == PROGRESS else None,
        "error": _error(stored) if result.status in states.EXCEPTION_STATES else None,
        "created_at": result.date_created,  # type: ignore[attr-defined]  # the package is untyped
        "started_at": result.date_started,  # type: ignore[attr-defined]
        "finished_at": result.date_done if finished else None,
    }


def _error(stored: Any) -> str:
    if isinstance(stored, dict) and "exc_type" in stored:
        message = stored.get("exc_message")
        text = " ".join(map(str, message)) if isinstance(message, list) else str(message or "")
        return f"{stored['exc_type']}: {text}" if text else str(stored["exc_type"])
    return str(stored)


def _queued(job_id: str, subject: subjects.Subject | None) -> dict[str, Any]:
    return {
        "id": job_id,
        "task": None,
        "state": "queued",
        "subject": subject.label if subject else None,
        "progress": None,
        "error": None,
        "created_at": None,
        "started_at": None,
        "finished_at": None,
    }


def _stored_states(state: str) -> list[str]:
    stored = [celery for celery, shown in STATES.items() if shown == state]
    if not stored:
        raise Problem(422, "unknown_state", f"state is one of {', '.join(sorted(set(STATES.values())))}.")
    return stored
