"""A worker's side of the ledger: take a job, and keep it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from celery import current_task
from django.db import connection

from proj.jobs.failpoints import failpoint
from proj.jobs.ledger.rating import TURN, book
from proj.jobs.ledger.statements import LAZY, as_json, decoded, run, run_prepared
from proj.jobs.message import Message

#: Seconds that a claim outlives the hard time limit of its task: the pool needs a moment to kill and to say so.
MARGIN = 15


class NotOwed(Exception):  # noqa: N818  an answer, not an error
    """There is nothing to do: finished, cancelled, claimed by another, or not its time yet."""


class Fenced(Exception):  # noqa: N818
    """The job belongs to somebody else now: whatever was done for it here does not count."""


@dataclass(slots=True)
class Claim:
    """One attempt at one job, by this process."""

    id: str
    attempt: int
    queue: str = ""
    subject: str = ""
    unwanted: bool = False  # it was asked to stop, and lost its worker or asked for another try instead
    before: Sequence[Mapping[str, Any]] = ()  # the attempts before this one: see proj.jobs.ledger.attempts
    # Set when the task asked to be run again (a retry, a replacement): the message that takes its place.
    successor: Message | None = None
    # While true, what is to be recorded is kept here instead: it is the next step of the task, and is written in the
    # transaction that stores its outcome.
    holding: bool = False
    held: list[Callable[[], object]] = field(default_factory=list)
    noted: tuple[str, Any] | None = None  # the custom state that the task gave itself last
    over: bool = False  # the outcome is stored, or is somebody else's to store


def current_claim() -> Claim | None:
    """Return the claim of the task that runs in this thread, if it runs for the ledger."""
    return getattr(current_task.request, "claim", None) if current_task else None


_CLAIM = f"""
    UPDATE jobs_job
       SET state = 'running', attempt = attempt + 1, claimed_at = clock_timestamp(),
           claimed_by = pg_backend_pid(), worker = %s, progress = NULL,
           deadline = clock_timestamp() + make_interval(secs => %s)
      FROM {LAZY}
     WHERE id = %s AND state = 'queued' AND available_at <= clock_timestamp()
       AND task = %s AND coalesce((message #>> '{{headers,retries}}')::int, 0) = %s
       AND queue NOT IN (SELECT queue FROM jobs_pausedqueue)
       AND task NOT IN (SELECT task FROM jobs_taskrate)
    RETURNING attempt, queue, subject, cancel_requested, attempts
"""  # noqa: S608  LAZY is a constant
_CLAIM_IN_TURN = TURN + _CLAIM.replace(
    "task NOT IN (SELECT task FROM jobs_taskrate)", "task IN (SELECT task FROM turn)"
)


def claim(message_id: str, *, task: str, retries: int, worker: str, seconds: float) -> Claim:
    """Take a job: from now on it is ours, until we store its outcome or are gone.

    Args:
        message_id: the task's id.
        task: the task's name, and
        retries: the number of the try, as the message has them: one that was overtaken by a retry is not owed.
        worker: who takes it, for people.
        seconds: the task's hard time limit.

    Raises:
        NotOwed: there is no such job to be had, its queue is paused, or it is not its turn; the message is to be dropped.

    A worker that dies after this leaves a row whose claimant has no database connection: the dispatcher sets it free.

    """
    failpoint("claim")
    # Whether the connection is still good is seen here: the caller tries again on a fresh one. Asking first would cost
    # each task another round trip, 7 % of its time.
    connection.health_check_done = True  # type: ignore[attr-defined]  # not in the stubs
    _, rows = run_prepared(_CLAIM, [worker, seconds + MARGIN, message_id, task, retries])
    if not rows:
        rows = run(
            _CLAIM_IN_TURN, [task, message_id, task, worker, seconds + MARGIN, message_id, task, retries]
        )
    if not rows:
        if not book(message_id, task):
            hold(message_id)
        raise NotOwed(message_id)
    failpoint("claimed")
    attempt, queue, subject, unwanted, before = rows[0]
    return Claim(message_id, attempt, queue, subject, unwanted, decoded(before) or ())


def hold(job_id: str) -> None:
    """Note, of a job that waits in a paused queue, that its message is gone: it is rung for when the queue is resumed."""
    run(
        f"""
        UPDATE jobs_job SET published_at = NULL FROM {LAZY}
         WHERE id = %s AND state = 'queued' AND queue IN (SELECT queue FROM jobs_pausedqueue)
        """,  # noqa: S608  LAZY is a constant
        [job_id],
    )


def note(claim: Claim, state: str, meta: Any) -> None:
    """Keep the custom state of a running attempt beside its claim. Silent when it is no longer ours."""
    run(
        f"""
        UPDATE jobs_job SET progress = %s::jsonb FROM {LAZY}
         WHERE id = %s AND attempt = %s AND state = 'running'
        """,  # noqa: S608
        [as_json({"state": state, "meta": meta}), claim.id, claim.attempt],
    )
    claim.noted = (state, meta)


def disown(claim: Claim) -> None:
    """Leave a job as if its worker were gone, because the task ended in a way that ends a worker."""
    run(
        "UPDATE jobs_job SET claimed_by = NULL WHERE id = %s AND attempt = %s AND state = 'running'",
        [claim.id, claim.attempt],
    )


def reassert(claim: Claim) -> None:
    """Say that a claim is still alive, from the database connection that is in use now."""
    run(
        "UPDATE jobs_job SET claimed_by = pg_backend_pid(), claimed_at = clock_timestamp()"
        " WHERE id = %s AND attempt = %s AND state = 'running'",
        [claim.id, claim.attempt],
    )
