"""What operators, and Celery itself, do to jobs that they have not claimed."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from celery import states
from kombu.utils.json import dumps

from proj.jobs.ledger.claiming import Claim
from proj.jobs.ledger.statements import count, run


class Cancelled(StrEnum):
    """What became of the wish to cancel a job."""

    CANCELLED = "cancelled"  # it was waiting, and will never run
    STOPPING = "stopping"  # it runs, and stops at its next checkpoint
    TOO_LATE = "too late"  # it has ended, or there is no such job


def cancel(job_id: str) -> Cancelled:
    """Cancel a job: at once if it waits or is dead, at its next checkpoint if it runs.

    The wish is a row: it holds with every worker offline, and after a restart.
    """
    rows = run(
        """
        WITH gone AS (
            DELETE FROM jobs_job WHERE id = %s AND state IN ('queued', 'dead') RETURNING id, task, created_at
        ), stored AS (
            INSERT INTO django_celery_results_taskresult
                   (task_id, task_name, status, content_type, content_encoding, result, date_created, date_done)
            SELECT id, task, 'REVOKED', 'application/json', 'utf-8', %s, created_at, clock_timestamp() FROM gone
            ON CONFLICT (task_id) DO UPDATE
               SET status = 'REVOKED', result = excluded.result, traceback = NULL, date_done = excluded.date_done
             WHERE django_celery_results_taskresult.status <> 'SUCCESS'
        ), asked AS (
            UPDATE jobs_job SET cancel_requested = true WHERE id = %s AND state = 'running' RETURNING 1
        )
        SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM asked)
        """,
        [job_id, dumps(REVOKED_RESULT), job_id],
    )
    gone, asked = rows[0]
    return Cancelled.CANCELLED if gone else Cancelled.STOPPING if asked else Cancelled.TOO_LATE


#: As the result backend would encode celery.exceptions.TaskRevokedError.
REVOKED_RESULT = {
    "exc_type": "TaskRevokedError",
    "exc_message": ["cancelled"],
    "exc_module": "celery.exceptions",
}


def cancel_was_requested(claim: Claim) -> bool:
    """Whether somebody wants the running job to stop; also when it is no longer ours to run."""
    rows = run(
        "SELECT cancel_requested FROM jobs_job WHERE id = %s AND attempt = %s AND state = 'running'",
        [claim.id, claim.attempt],
    )
    return not rows or bool(rows[0][0])


def revoke(job_id: str) -> None:
    """Drop a job that Celery itself revoked (it expired, or was terminated); the caller stores that it was."""
    run("DELETE FROM jobs_job WHERE id = %s AND state <> 'dead'", [job_id])


def bury_unclaimed(job_id: str, *, error: str) -> bool:
    """Keep a job as dead that no claimant can speak for; the caller stores its failure.

    False if it has ended already: then it did not fail.
    """
    changed = count(
        """
        UPDATE jobs_job SET state = 'dead', error = %s, claimed_by = NULL, deadline = NULL
         WHERE id = %s AND state <> 'dead'
        """,
        [error, job_id],
    )
    return changed == 1


def replay(job_ids: Sequence[str], *, body: str | None = None) -> int:
    """Put dead jobs back in the queue, from their first try; the dispatcher rings for them.

    Args:
        job_ids: which.
        body: new arguments, as the message's body encodes them; None keeps what was sent.

    Returns:
        How many were dead and are queued now.

    """
    edits: list[Any] = [] if body is None else [body]
    message = "jsonb_set(message, '{headers,retries}', '0')"
    if body is not None:
        message = f"jsonb_set({message}, '{{body}}', to_jsonb(%s::text))"
    return count(
        f"""
        UPDATE jobs_job
           SET state = 'queued', losses = 0, error = '', cancel_requested = false,
               available_at = clock_timestamp(), published_at = NULL, message = {message}
         WHERE id = ANY(%s) AND state = 'dead'
        """,  # noqa: S608  our own text
        [*edits, list(job_ids)],
    )


READY = (states.SUCCESS, states.FAILURE, states.REVOKED)
