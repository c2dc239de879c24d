"""A worker's side of the ledger: what becomes of an attempt, whether it is the last or not."""

from proj.jobs.failpoints import failpoint
from proj.jobs.ledger.attempts import ended
from proj.jobs.ledger.claiming import Claim, Fenced
from proj.jobs.ledger.statements import LAZY, as_json, count, legible, run, run_prepared
from proj.jobs.message import Message
from proj.jobs.results import STORE_ON_CONFLICT, Outcome

_FINISH = f"""
    WITH gone AS (
        DELETE FROM jobs_job USING {LAZY}
         WHERE id = %s AND attempt = %s AND state = 'running'
        RETURNING created_at, claimed_at
    ), stored AS (
        INSERT INTO django_celery_results_taskresult ({", ".join(Outcome.COLUMNS)}, date_created, date_started)
        SELECT {", ".join(["%s"] * len(Outcome.COLUMNS))}, created_at, claimed_at FROM gone
        {STORE_ON_CONFLICT}
    )
    SELECT count(*) FROM gone
"""  # noqa: S608  constants


def finish(claim: Claim, outcome: Outcome | None) -> None:
    """End a job: its result is stored and its row is gone, in one statement.

    Args:
        claim: our attempt.
        outcome: what to store; None for a task whose result nobody wants.

    Raises:
        Fenced: somebody else owns the job; nothing was written.

    Died before: the job runs again. Died after: the message is delivered again, and is not owed.

    """
    if outcome is not None:
        _, [(gone,)] = run_prepared(_FINISH, [claim.id, claim.attempt, *outcome.values()])
    else:
        gone = count(
            f"DELETE FROM jobs_job USING {LAZY} WHERE id = %s AND attempt = %s AND state = 'running'",  # noqa: S608
            [claim.id, claim.attempt],
        )
    if not gone:
        raise Fenced(claim.id)


def retry(claim: Claim, message: Message, *, error: str, ring: bool) -> bool:
    """Put a job back in the queue under its id, with the message of its next try.

    Returns:
        Whether the caller is to ring for it on commit: it wanted to (``ring``), and the queue is not paused.

    Raises:
        Fenced: somebody else owns the job; nothing was written.

    """
    failpoint("retry")
    rows = run(
        f"""
        UPDATE jobs_job
           SET {ended("retried", "%s")},
               state = 'queued', task = %s, queue = %s, priority = %s, message = %s::jsonb, error = %s,
               available_at = CASE WHEN cancel_requested THEN clock_timestamp() ELSE coalesce(%s, clock_timestamp()) END,
               claimed_by = NULL, deadline = NULL,
               published_at = CASE WHEN %s AND %s NOT IN (SELECT queue FROM jobs_pausedqueue)
                                   THEN clock_timestamp() END
         WHERE id = %s AND attempt = %s AND state = 'running'
        RETURNING published_at IS NOT NULL
        """,  # noqa: S608  our own words
        [
            legible(error),
            message.task,
            message.queue,
            message.priority,
            as_json(message.content),
            legible(error),
            message.eta,
            ring,
            message.queue,
            claim.id,
            claim.attempt,
        ],
    )
    if not rows:
        raise Fenced(claim.id)
    return bool(rows[0][0])


def release(claim: Claim) -> None:
    """Give a job back untouched: somebody else shall run it. Silent when it is no longer ours."""
    run(
        f"""
        UPDATE jobs_job
           SET {ended("given back")},
               state = 'queued', claimed_by = NULL, deadline = NULL, published_at = NULL,
               available_at = clock_timestamp()
         WHERE id = %s AND attempt = %s AND state = 'running'
        """,  # noqa: S608
        [claim.id, claim.attempt],
    )


def postpone(claim: Claim, seconds: float, *, reason: str) -> None:
    """Give a job back, not to be run before so many seconds have passed; `reason` says why, for people.

    A job that somebody wants cancelled is due at once, to be ended.

    Raises:
        Fenced: somebody else owns the job; nothing was written.

    """
    written = count(
        f"""
        UPDATE jobs_job
           SET {ended("postponed", "%s")},
               state = 'queued', claimed_by = NULL, deadline = NULL, published_at = NULL, error = %s,
               available_at = clock_timestamp()
                   + CASE WHEN cancel_requested THEN interval '0' ELSE make_interval(secs => %s) END
         WHERE id = %s AND attempt = %s AND state = 'running'
        """,  # noqa: S608
        [legible(reason), legible(reason), seconds, claim.id, claim.attempt],
    )
    if not written:
        raise Fenced(claim.id)


def bury(claim: Claim, *, error: str) -> None:
    """Keep a job that failed for good, whole, so that it can be replayed.

    Raises:
        Fenced: somebody else owns the job; nothing was written.

    """
    failpoint("bury")
    written = count(
        f"""
        UPDATE jobs_job SET {ended("failed", "%s")}, state = 'dead', error = %s, claimed_by = NULL, deadline = NULL
         WHERE id = %s AND attempt = %s AND state = 'running'
        """,  # noqa: S608
        [legible(error), legible(error), claim.id, claim.attempt],
    )
    if not written:
        raise Fenced(claim.id)
