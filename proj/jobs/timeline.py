"""What has happened to a job, oldest first: when it was enqueued, each attempt, what people did to it, and how it is now."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from celery import states
from django_celery_results.models import TaskResult

from proj.jobs.describing import STATES, describe_result, meta_of, state_of
from proj.jobs.models import AuditEntry, Job, State
from proj.jobs.selecting import Owed


class Moment(NamedTuple):
    """One thing that happened, or is still to come."""

    at: datetime
    what: str
    detail: str = ""
    by: str = ""  # a worker or a person
    until: datetime | None = None
    level: str = ""  # "bad", "warn" or nothing


def timeline(
    job: Job | None, result: TaskResult | None, deeds: Sequence[AuditEntry], now: datetime
) -> list[Moment]:
    """Return what has happened to a job.

    Args:
        job: its row, while it is owed or dead; and
        result: its outcome. At least one of them.
        deeds: what the audit log has of it.
        now: the database's time.

    """
    moments = [Moment(deed.at, deed.action, deed.reason, deed.actor) for deed in deeds]
    if job is not None:
        moments.append(Moment(job.created_at, "enqueued"))
        moments += _attempts(job.attempts or [])
        moments += _still(job, now)
    elif result is not None:
        moments.append(Moment(result.date_created, "enqueued"))  # type: ignore[attr-defined]  # untyped
        moments += _attempts(meta_of(result).get("attempts") or [])
        moments.append(_outcome(result))
    return sorted(moments, key=lambda moment: moment.at)


def _attempts(noted: Sequence[Mapping[str, Any]]) -> Iterator[Moment]:
    for each in noted:
        began, ended = (datetime.fromisoformat(each[name]) for name in ("began", "ended"))
        level = "bad" if each["how"] == "failed" else "warn"
        how = _WORDS.get(each["how"], each["how"])
        yield Moment(began, f"attempt {each['number']}: {how}", each["error"], each["worker"], ended, level)


_WORDS = {"lost": "its worker was gone", "retried": "failed in passing", "failed": "failed for good"}


def _still(job: Job, now: datetime) -> Iterator[Moment]:
    """What a job does that is owed; of a dead one its last attempt has told."""
    if job.state == State.RUNNING and job.claimed_at is not None:
        yield Moment(job.claimed_at, f"attempt {job.attempt}: runs", by=job.worker)
    elif job.state == State.QUEUED:
        state = state_of(job, now)
        waits = "waits for its next try" if state == Owed.RETRYING else "waits for its time"
        ahead = job.available_at > now
        yield Moment(max(job.available_at, now), waits if ahead else "waits for a worker")


def _outcome(result: TaskResult) -> Moment:
    told = describe_result(result)
    state = STATES.get(result.status, result.status)
    level = "bad" if result.status == states.FAILURE else ""
    began, ended = told["started_at"], result.date_done
    what = f"attempt {told['attempt']}: {state}" if told["attempt"] else state
    worker = result.worker or ""  # type: ignore[attr-defined]
    return Moment(began or ended, what, told["error"] or "", worker, ended if began else None, level)
