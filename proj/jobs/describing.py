"""What is known of a job, as programs read it: from the ledger while it is owed, from its result after that."""

import json
from datetime import datetime
from typing import Any

from celery import states
from django_celery_results.models import TaskResult
from kombu.utils.json import loads

from proj.jobs.models import Job, State
from proj.jobs.selecting import Owed
from proj.jobs.task import PROGRESS

#: What people read for what is stored of a task that is not owed.
STATES = {
    states.PENDING: "queued",
    states.RECEIVED: "queued",
    states.STARTED: "running",
    PROGRESS: "running",
    states.SUCCESS: "succeeded",
    states.FAILURE: "failed",
    states.RETRY: "retrying",
    states.REVOKED: "cancelled",
}


def state_of(job: Job, now: datetime) -> Owed:
    """Return what people call the state of a job that is owed."""
    if job.state != State.QUEUED:
        return Owed(job.state)
    if job.error:
        return Owed.RETRYING
    return Owed.SCHEDULED if job.available_at > now else Owed.QUEUED


def describe_job(job: Job, now: datetime, result: TaskResult | None = None) -> dict[str, Any]:
    """Return a job that is owed, or dead; ``result`` tells when a dead one failed."""
    noted = job.progress if job.state == State.RUNNING and job.progress else {}
    return {
        "id": job.pk,
        "task": job.task,
        "state": state_of(job, now).value,
        "queue": job.queue,
        "attempt": job.attempt,
        "subject": job.subject or None,
        "progress": noted.get("meta") if noted.get("state") == PROGRESS else None,
        "error": job.error or None,
        "created_at": job.created_at,
        "started_at": job.claimed_at,
        "finished_at": result.date_done if job.state == State.DEAD and result is not None else None,
    }


def describe_result(result: TaskResult) -> dict[str, Any]:
    """Return a task that is not owed: a job that has ended, or a task that was never in the ledger."""
    stored = json.loads(result.result) if result.result else None
    meta = meta_of(result)
    return {
        "id": result.task_id,
        "task": result.task_name,
        "state": STATES.get(result.status, "running"),
        "queue": meta.get("queue"),
        "attempt": meta.get("attempt"),
        "subject": meta.get("subject") or None,
        "progress": stored if result.status == PROGRESS else None,
        "error": _error(stored) if result.status in states.EXCEPTION_STATES else None,
        "created_at": result.date_created,  # type: ignore[attr-defined]  # the package is untyped
        "started_at": result.date_started,  # type: ignore[attr-defined]
        "finished_at": result.date_done if result.status in states.READY_STATES else None,
    }


def meta_of(result: TaskResult) -> dict[str, Any]:
    """Return what the ledger has noted beside an outcome: queue, attempt and subject of the job that ended so."""
    meta = json.loads(result.meta) if result.meta else None
    return meta if isinstance(meta, dict) else {}


def arguments_of(job: Job) -> tuple[list[Any], dict[str, Any]]:
    """Return the positional and the named arguments in a job's message."""
    args, kwargs, _ = loads(job.message["body"])
    return list(args), dict(kwargs)


def _error(stored: Any) -> str:
    if isinstance(stored, dict) and "exc_type" in stored:
        message = stored.get("exc_message")
        text = " ".join(map(str, message)) if isinstance(message, list) else str(message or "")
        return f"{stored['exc_type']}: {text}" if text else str(stored["exc_type"])
    return str(stored)


def detail(job_id: str, now: datetime) -> dict[str, Any] | None:
    """Return everything there is about a job, or None when nobody has heard of it."""
    job = Job.objects.filter(pk=job_id).first()
    result = TaskResult.objects.filter(task_id=job_id).first()
    if job is not None:
        owed = {**describe_job(job, now, result), **_detail_of_job(job)}
        return owed | {name: value for name, value in _detail_of_result(result).items() if name not in owed}
    return {**describe_result(result), **_detail_of_result(result)} if result is not None else None


def _detail_of_job(job: Job) -> dict[str, Any]:
    args, kwargs = arguments_of(job)
    headers = job.message["headers"]
    return {
        "args": args,
        "kwargs": kwargs,
        "priority": job.priority,
        "worker": job.worker or None,
        "losses": job.losses,
        "attempts": job.attempts,
        "cancel_requested": job.cancel_requested,
        "available_at": job.available_at,
        "published_at": job.published_at,
        "deadline": job.deadline,
        "retries": headers.get("retries"),
        "root_id": headers.get("root_id"),
        "parent_id": headers.get("parent_id"),
        "group_id": headers.get("group"),
    }


def _detail_of_result(result: TaskResult | None) -> dict[str, Any]:
    if result is None:
        return {}
    failed = result.status in states.EXCEPTION_STATES
    arguments = {"args": result.task_args, "kwargs": result.task_kwargs}
    return {
        # As they were printed when the job was enqueued; one that is owed has the real ones in its message.
        **{name: json.loads(text) for name, text in arguments.items() if text},
        "worker": result.worker,  # type: ignore[attr-defined]
        "attempts": meta_of(result).get("attempts"),
        "result": json.loads(result.result) if result.result and not failed else None,
        "traceback": result.traceback,
    }
