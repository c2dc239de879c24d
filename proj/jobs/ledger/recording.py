"""Writing down what is owed, in the caller's transaction."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from proj.jobs.failpoints import failpoint
from proj.jobs.ledger.statements import as_json, run, run_prepared
from proj.jobs.message import Message

_RECORD = """
    INSERT INTO jobs_job (id, task, queue, priority, message, subject, state, attempt, available_at, published_at,
                          worker, cancel_requested, error, losses)
    SELECT id, task, queue, priority, message, subject, 'queued', 0, coalesce(eta, clock_timestamp()),
           CASE WHEN ring AND queue NOT IN (SELECT queue FROM jobs_pausedqueue) THEN clock_timestamp() END,
           '', false, '', 0
      FROM ROWS FROM (jsonb_to_recordset(%s) AS (id text, task text, queue text, priority smallint, message jsonb,
                                                 subject text, eta timestamptz, ring boolean))
           WITH ORDINALITY AS owed (id, task, queue, priority, message, subject, eta, ring, position)
     WHERE NOT EXISTS (SELECT FROM django_celery_results_taskresult
                        WHERE task_id = owed.id AND status IN ('SUCCESS', 'REVOKED'))
     ORDER BY position
    ON CONFLICT (id) DO UPDATE
       SET task = excluded.task, queue = excluded.queue, priority = excluded.priority, message = excluded.message,
           subject = excluded.subject, state = 'queued', available_at = excluded.available_at,
           published_at = excluded.published_at, error = '', losses = 0, cancel_requested = false, progress = NULL
     WHERE jobs_job.state = 'dead'
    RETURNING id, published_at IS NOT NULL
"""


class Entry(NamedTuple):
    """What is to be recorded."""

    message: Message
    subject: str  # what it is about, such as "order:42"; or empty
    # Whether the caller rings the bell for it after the commit. A caller that dies before it does leaves a row that says
    # it was rung: the dispatcher finds that the broker has fewer messages than it should.
    ring: bool


def record(entries: Sequence[Entry]) -> dict[str, bool]:
    """Write messages down as owed, all in one statement, in the caller's transaction if there is one.

    An id that is owed already, that succeeded or was cancelled, is not written again: the second message of a step that
    was delivered twice changes nothing. One that failed while nothing is owed never ran: the step before it failed,
    and now was replayed and succeeded. One that is dead is owed again, as it is sent now.

    Args:
        entries: what, each under an id of its own.

    Returns:
        The ids that were written, each with whether the caller is to ring for it on commit: it wanted to, and the queue
        is not paused.

    """
    failpoint("record")
    rows_by_id = {
        entry.message.id: _row(entry) for entry in reversed(entries)
    }  # of two under one id, the first
    _, rows = run_prepared(_RECORD, [as_json(list(reversed(rows_by_id.values())))])
    failpoint("recorded")
    return dict(rows)


def _row(entry: Entry) -> dict[str, Any]:
    message = entry.message
    return {
        "id": message.id,
        "task": message.task,
        "queue": message.queue,
        "priority": message.priority,
        "message": message.content,
        "subject": entry.subject,
        "eta": message.eta.isoformat() if message.eta else None,
        "ring": entry.ring,
    }


def unring(ids: Sequence[str]) -> None:
    """Note that the bell could not be rung for these: the dispatcher will, when the broker is back."""
    run("UPDATE jobs_job SET published_at = NULL WHERE id = ANY(%s) AND state = 'queued'", [list(ids)])
