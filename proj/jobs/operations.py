"""What people do to jobs: from the command line, the admin, the API, and through Celery's own ``revoke``.

Each takes ids and is one transaction; :func:`proj.jobs.selecting.batches` cuts a long list into bites. With ``by`` the
transaction also writes down, for each job, who did that to it and why (:mod:`proj.jobs.audit`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from celery import current_app, states
from celery.exceptions import TaskRevokedError
from django.db import transaction
from django.db.models import Q
from kombu.utils.json import dumps, loads

from proj.jobs import audit, ledger
from proj.jobs.audit import Actor, Change
from proj.jobs.errors import Buried
from proj.jobs.ledger import Cancelled
from proj.jobs.models import Job, State
from proj.jobs.request import request_of


@transaction.atomic
def retry(job_ids: Sequence[str], *, by: Actor | None = None, reason: str = "") -> int:
    """Put dead jobs back in the queue, as they were sent; return how many were dead."""
    if by is not None:
        dead = _seen(job_ids, Q(state=State.DEAD))
        after = {"state": State.QUEUED.value}
        audit.record_each(by, "job.retry", [Change(*job, after) for job in dead.items()], reason=reason)
    return ledger.replay(job_ids)


@transaction.atomic
def retry_with(
    job_id: str,
    args: Sequence[Any] | None,
    kwargs: Mapping[str, Any] | None,
    *,
    by: Actor | None = None,
    reason: str = "",
) -> bool:
    """Put a dead job back in the queue with other arguments.

    Args:
        job_id: which.
        args: the positional arguments; None keeps them.
        kwargs: the named arguments; None keeps them.
        by: who asked for it, and
        reason: why, for the audit log.

    Returns:
        Whether it was dead.

    Raises:
        TypeError: the task cannot be called like that.

    """
    job = Job.objects.select_for_update().filter(pk=job_id, state=State.DEAD).first()
    if job is None:
        return False
    old_args, old_kwargs, embed = loads(job.message["body"])
    new_args = list(old_args if args is None else args)
    new_kwargs = dict(old_kwargs if kwargs is None else kwargs)
    task: Any = current_app.tasks.get(job.task)
    if task is not None and task.typing:
        task.__header__(*new_args, **new_kwargs)  # as .delay() does
    body = dumps([new_args, new_kwargs, embed])
    headers = {**job.message["headers"], "argsrepr": repr(tuple(new_args)), "kwargsrepr": repr(new_kwargs)}
    subject = task.subject_of(body) if getattr(task, "subject", "") else job.subject
    ledger.amend(job.pk, content={**job.message, "headers": headers, "body": body}, subject=subject)
    if by is not None:
        before = {"state": job.state, "error": job.error, "args": old_args, "kwargs": old_kwargs}
        after = {"state": State.QUEUED.value, "args": new_args, "kwargs": new_kwargs}
        audit.record(by, "job.retry", f"job:{job.pk}", reason=reason, before=before, after=after)
    return ledger.replay([job.pk]) == 1


@transaction.atomic
def cancel(job_ids: Sequence[str], *, by: Actor | None = None, reason: str = "") -> dict[str, Cancelled]:
    """Cancel jobs; return what became of each: cancelled, stopping at its next checkpoint, or too late.

    A chord whose part will never run is told, and with it whoever waits for its body.
    """
    seen = _seen(job_ids, Q()) if by is not None else {}
    answers, parts = ledger.cancel_each(job_ids)
    if by is not None:
        deeds = [
            Change(f"job:{job_id}", seen.get(f"job:{job_id}"), {"answer": answer.value})
            for job_id, answer in answers.items()
        ]
        audit.record_each(by, "job.cancel", deeds, reason=reason)
    for part in parts:
        request = request_of(Job(id=part.id, message=part.message))
        current_app.backend.on_chord_part_return(request, states.REVOKED, TaskRevokedError("cancelled"))
    return answers


def terminate(job_ids: Sequence[str]) -> None:
    """Make the workers kill the processes that run these jobs; a pool of threads cannot.

    Raises:
        kombu.exceptions.OperationalError: the broker, through which workers are told, is away.

    """
    current_app.control.broadcast("revoke", arguments={"task_id": list(job_ids), "terminate": True})


@transaction.atomic
def bury(job_ids: Sequence[str], reason: str, *, by: Actor | None = None) -> int:
    """Give up jobs that wait: they are kept as dead, with a reason; return how many waited.

    What follows from a failure follows: errbacks are called, chords are told.
    """
    error = Buried(reason)
    if by is not None:
        seen = _seen(job_ids, Q(state=State.QUEUED))
        after = {"state": State.DEAD.value}
        audit.record_each(by, "job.bury", [Change(*job, after) for job in seen.items()], reason=reason)
    waiting = Job.objects.select_for_update().filter(pk__in=job_ids, state=State.QUEUED).order_by("pk")
    plain = []
    followed = 0
    for job in waiting:
        if _is_followed(job):
            current_app.backend.mark_as_failure(job.pk, error, request=request_of(job))
            followed += 1
        else:
            plain.append(job.pk)
    return followed + (ledger.bury_queued(plain, error=error) if plain else 0)


def _seen(job_ids: Sequence[str], among: Q) -> dict[str, dict[str, Any]]:
    """Return what jobs are before something is done to them, by their names in the audit log; they are locked."""
    jobs = Job.objects.select_for_update().filter(among, pk__in=job_ids).order_by("pk")
    columns = ("task", "state", "attempt", "error")
    return {
        f"job:{pk}": dict(zip(columns, job, strict=True)) for pk, *job in jobs.values_list("pk", *columns)
    }


def _is_followed(job: Job) -> bool:
    """Whether anything is to happen when the job fails."""
    _, _, embed = loads(job.message["body"])
    return bool(embed.get("errbacks") or embed.get("chain") or job.message["headers"].get("group"))
