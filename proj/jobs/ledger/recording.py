"""Writing down what is owed, in the caller's transaction."""

from collections.abc import Sequence

from proj.jobs.failpoints import failpoint
from proj.jobs.ledger.statements import as_json, count, run
from proj.jobs.message import Message

_RECORD = """
    INSERT INTO jobs_job (id, task, queue, priority, message, subject, state, attempt, available_at, published_at,
                          worker, cancel_requested, error, losses)
    SELECT %s, %s, %s, %s, %s::jsonb, %s, 'queued', 0, coalesce(%s, clock_timestamp()),
           CASE WHEN %s THEN clock_timestamp() END, '', false, '', 0
     WHERE NOT EXISTS (SELECT FROM django_celery_results_taskresult
                        WHERE task_id = %s AND status IN ('SUCCESS', 'REVOKED'))
    ON CONFLICT (id) DO NOTHING
"""


def record(message: Message, *, subject: str = "", ring: bool) -> bool:
    """Write a message down as owed, in the caller's transaction if there is one.

    An id that is owed already, that succeeded or was cancelled, is not written again: the second message of a step that
    was delivered twice changes nothing. One that failed while nothing is owed never ran: the step before it failed,
    and now was replayed and succeeded.

    Args:
        message: what is owed.
        subject: what it is about, such as ``"order:42"``.
        ring: whether the caller rings the bell for it after the commit. A caller that dies before it does leaves a row
            that says it was rung: the dispatcher finds that the broker has fewer messages than it should.

    Returns:
        Whether it was written.

    """
    failpoint("record")
    written = count(
        _RECORD,
        [
            message.id,
            message.task,
            message.queue,
            message.priority,
            as_json(message.content),
            subject,
            message.eta,
            ring,
            message.id,
        ],
    )
    failpoint("recorded")
    return written == 1


def unring(ids: Sequence[str]) -> None:
    """Note that the bell could not be rung for these: the dispatcher will, when the broker is back."""
    run("UPDATE jobs_job SET published_at = NULL WHERE id = ANY(%s) AND state = 'queued'", [list(ids)])
