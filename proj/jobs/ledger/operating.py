"""What operators, and Celery itself, do to jobs that they have not claimed."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from kombu.utils.json import dumps

from proj.jobs.ledger.attempts import ended
from proj.jobs.ledger.claiming import Claim
from proj.jobs.ledger.statements import as_json, count, decoded, legible, run


class Cancelled(StrEnum):
    """What became of the wish to cancel a job."""

    CANCELLED = "cancelled"  # it was waiting, and will never run
    STOPPING = "stopping"  # it runs, and stops at its next checkpoint
    TOO_LATE = "too late"  # it has ended, or there is no such job


class Dropped(NamedTuple):
    """A cancelled job that was part of a chord, for whoever counts its parts."""

    id: str
    message: dict[str, Any]


def _ended(status: str, source: str) -> str:
    """Return the INSERT that stores, for jobs which end without having been run, how they ended."""
    return f"""
            INSERT INTO django_celery_results_taskresult
                   (task_id, task_name, task_args, task_kwargs, status, content_type, content_encoding, result, meta,
                    date_created, date_done)
            SELECT id, task, to_json(message #>> '{{headers,argsrepr}}'), to_json(message #>> '{{headers,kwargsrepr}}'),
                   '{status}', 'application/json', 'utf-8', %s,
                   json_strip_nulls(json_build_object('children', '[]'::json, 'subject', subject, 'attempts', attempts)),
                   created_at, clock_timestamp()
              FROM {source}
            ON CONFLICT (task_id) DO UPDATE
               SET status = excluded.status, result = excluded.result, traceback = NULL, date_done = excluded.date_done
             WHERE django_celery_results_taskresult.status <> 'SUCCESS'
    """  # noqa: S608  our own words


def cancel(job_id: str) -> Cancelled:
    """Cancel one job; see :func:`cancel_each`. A chord that it is part of is not told."""
    return cancel_each([job_id])[0][job_id]


def cancel_each(job_ids: Sequence[str]) -> tuple[dict[str, Cancelled], list[Dropped]]:
    """Cancel jobs: at once those that wait or are dead, at its next checkpoint one that runs.

    The wish is a row: it holds with every worker offline, and after a restart. One that runs and is set free, or asks to be
    tried again, ends when it is claimed next.

    Returns:
        What became of each, and the parts of chords among those that will never run.

    """
    rows = run(
        f"""
        WITH wanted AS (
            SELECT id FROM jobs_job WHERE id = ANY(%s) ORDER BY id FOR UPDATE
        ), gone AS (
            DELETE FROM jobs_job USING wanted
             WHERE jobs_job.id = wanted.id AND state IN ('queued', 'dead')
            RETURNING jobs_job.*
        ), stored AS (
            {_ended("REVOKED", "gone")}
        ), asked AS (
            UPDATE jobs_job SET cancel_requested = true FROM wanted
             WHERE jobs_job.id = wanted.id AND state = 'running'
            RETURNING jobs_job.id
        )
        SELECT id, 'cancelled',
               CASE WHEN state = 'queued' AND message #>> '{{headers,group}}' IS NOT NULL THEN message END
          FROM gone
         UNION ALL
        SELECT id, 'stopping', NULL FROM asked
        """,  # noqa: S608  our own words
        [list(job_ids), dumps(REVOKED_RESULT)],
    )
    answers = dict.fromkeys(job_ids, Cancelled.TOO_LATE)
    answers |= {job_id: Cancelled(answer) for job_id, answer, _ in rows}
    return answers, [Dropped(job_id, decoded(message)) for job_id, _, message in rows if message is not None]


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


def revoke(job_id: str, *, running: bool) -> bool:
    """Drop a job that Celery itself revoked; the caller stores that it was.

    Args:
        job_id: which.
        running: whether it was taken from its worker. If not, a message for it expired or was revoked: that is
            no reason to drop a job which runs by another message.

    Returns:
        Whether there was such a job.

    """
    states = ["queued", "running"] if running else ["queued"]
    return count("DELETE FROM jobs_job WHERE id = %s AND state = ANY(%s)", [job_id, states]) == 1


def bury_unclaimed(job_id: str, *, error: str) -> bool:
    """Keep a job as dead that no claimant can speak for; the caller stores its failure.

    False if it has ended already: then it did not fail.
    """
    changed = count(
        f"""
        UPDATE jobs_job SET {ended("failed", "%s")}, state = 'dead', error = %s, claimed_by = NULL, deadline = NULL
         WHERE id = %s AND state <> 'dead'
        """,  # noqa: S608
        [legible(error), legible(error), job_id],
    )
    return changed == 1


def bury_queued(job_ids: Sequence[str], *, error: Exception) -> int:
    """Keep jobs that wait as dead, and store that they failed; return how many waited."""
    [(buried,)] = run(
        f"""
        WITH buried AS (
            UPDATE jobs_job SET state = 'dead', error = %s
             WHERE id IN (SELECT id FROM jobs_job WHERE id = ANY(%s) ORDER BY id FOR UPDATE) AND state = 'queued'
            RETURNING id, task, subject, message, attempts, created_at
        ), stored AS (
            {_ended("FAILURE", "buried")}
        )
        SELECT count(*) FROM buried
        """,  # noqa: S608
        [
            legible(f"{type(error).__name__}: {error}"),
            list(job_ids),
            as_json(
                {
                    "exc_type": type(error).__name__,
                    "exc_message": [str(error)],
                    "exc_module": type(error).__module__,
                }
            ),
        ],
    )
    return int(buried)


def replay(job_ids: Sequence[str]) -> int:
    """Put dead jobs back in the queue, from their first try; the dispatcher rings for them.

    Returns:
        How many were dead and are queued now.

    """
    return count(
        """
        UPDATE jobs_job
           SET state = 'queued', losses = 0, error = '', cancel_requested = false,
               available_at = clock_timestamp(), published_at = NULL,
               message = jsonb_set(message, '{headers,retries}', '0')
         WHERE id IN (SELECT id FROM jobs_job WHERE id = ANY(%s) ORDER BY id FOR UPDATE) AND state = 'dead'
        """,
        [list(job_ids)],
    )


def amend(job_id: str, *, content: dict[str, Any], subject: str) -> bool:
    """Give a dead job another message, to be replayed with; return whether it was dead."""
    return (
        count(
            "UPDATE jobs_job SET message = %s::jsonb, subject = %s WHERE id = %s AND state = 'dead'",
            [as_json(content), subject, job_id],
        )
        == 1
    )


def hasten(job_ids: Sequence[str]) -> int:
    """Let jobs that wait for their time be run now; return how many there were."""
    return count(
        """
        UPDATE jobs_job SET available_at = clock_timestamp(), published_at = NULL
         WHERE id = ANY(%s) AND state = 'queued' AND available_at > clock_timestamp()
        """,
        [list(job_ids)],
    )
