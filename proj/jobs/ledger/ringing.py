"""The dispatcher's side of the ledger: which jobs need the bell, and whose claimants are gone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from kombu.utils.json import loads

from proj.jobs.failpoints import failpoint
from proj.jobs.ledger.statements import run
from proj.jobs.message import Message

_MESSAGE = "id, task, queue, priority, message"


def _messages(rows: list[tuple[Any, ...]]) -> list[Message]:
    return [
        Message(row[0], row[1], row[2], row[3], None, loads(row[4]) if isinstance(row[4], str) else row[4])
        for row in rows
    ]


def due(limit: int) -> list[Message]:
    """Mark as rung, and return, jobs whose time has come or that were never rung, oldest first.

    Rows that another dispatcher has in hand are passed over. Died before it rang: see :func:`lost`.
    """
    rows = run(
        f"""
        UPDATE jobs_job SET published_at = clock_timestamp()
         WHERE id IN (SELECT id FROM jobs_job
                       WHERE state = 'queued' AND published_at IS NULL AND available_at <= clock_timestamp()
                       ORDER BY available_at LIMIT %s FOR UPDATE SKIP LOCKED)
        RETURNING {_MESSAGE}
        """,  # noqa: S608  constants
        [limit],
    )
    if rows:
        failpoint("rung")
    return _messages(rows)


class Waiting(NamedTuple):
    """What the ledger expects the broker to hold for one queue."""

    queue: str
    messages: int  # counted up to the limit


def waiting(queue: str, limit: int) -> int:
    """Count the messages that the broker should hold for a queue, up to a limit: rung and unclaimed, or running.

    A running job's message is acknowledged after its row is gone, so the broker never holds fewer than this, unless it
    lost some. The limit keeps the question as cheap as its answer is useful.
    """
    [(number,)] = run(
        """
        SELECT count(*) FROM (
            (SELECT 1 FROM jobs_job WHERE state = 'queued' AND published_at IS NOT NULL AND queue = %s LIMIT %s)
             UNION ALL
            (SELECT 1 FROM jobs_job WHERE state = 'running' AND queue = %s LIMIT %s)
        ) AS expected
        """,
        [queue, limit, queue, limit],
    )
    return min(int(number), limit)


def lost(queue: str, before: datetime, limit: int) -> list[Message]:
    """Mark as rung again, and return, the jobs of a queue that were rung before a moment and are still unclaimed.

    The longest waiting first: a queue hands out its oldest message first, so one that was lost is among them.
    """
    rows = run(
        f"""
        UPDATE jobs_job SET published_at = clock_timestamp()
         WHERE id IN (SELECT id FROM jobs_job
                       WHERE state = 'queued' AND queue = %s AND published_at < %s
                       ORDER BY published_at LIMIT %s FOR UPDATE SKIP LOCKED)
        RETURNING {_MESSAGE}
        """,  # noqa: S608
        [queue, before, limit],
    )
    return _messages(rows)


class Orphan(NamedTuple):
    """A running job whose claimant is gone."""

    id: str
    attempt: int
    task: str
    retries: int
    worker: str


def orphans(limit: int) -> list[Orphan]:
    """Return running jobs whose claimant's database connection is gone, or whose deadline has passed.

    A backend with the same number that began after the claim is somebody else's.
    """
    rows = run(
        """
        SELECT id, attempt, task, coalesce((message #>> '{headers,retries}')::int, 0), worker
          FROM jobs_job
         WHERE state = 'running'
           AND (deadline < clock_timestamp()
                OR NOT EXISTS (SELECT FROM pg_stat_activity
                                WHERE pid = claimed_by AND backend_start <= claimed_at))
         ORDER BY claimed_at LIMIT %s
        """,
        [limit],
    )
    return [Orphan(*row) for row in rows]


def rescue(found: Sequence[Orphan]) -> int:
    """Set orphans free, so that the next tick rings for them; return how many were still the same attempt's."""
    failpoint("rescue")
    rows = run(
        """
        UPDATE jobs_job
           SET state = 'queued', claimed_by = NULL, deadline = NULL, published_at = NULL,
               available_at = clock_timestamp()
          FROM unnest(%s::text[], %s::int[]) AS orphan (id, attempt)
         WHERE jobs_job.id = orphan.id AND jobs_job.attempt = orphan.attempt AND state = 'running'
        RETURNING jobs_job.id
        """,
        [[orphan.id for orphan in found], [orphan.attempt for orphan in found]],
    )
    return len(rows)
