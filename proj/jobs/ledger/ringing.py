"""The dispatcher's side of the ledger: which jobs need the bell, and whose claimants are gone."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from kombu.utils.json import loads

from proj.jobs.failpoints import failpoint
from proj.jobs.ledger.attempts import ended
from proj.jobs.ledger.statements import run
from proj.jobs.message import Message

_MESSAGE = "id, task, queue, priority, message"


def _messages(rows: list[tuple[Any, ...]]) -> list[Message]:
    return [
        Message(row[0], row[1], row[2], row[3], None, loads(row[4]) if isinstance(row[4], str) else row[4])
        for row in rows
    ]


_DUE = f"""
    WITH RECURSIVE queues (queue) AS (
        (SELECT queue FROM jobs_job WHERE state = 'queued' AND published_at IS NULL ORDER BY queue LIMIT 1)
         UNION ALL
        SELECT (SELECT queue FROM jobs_job
                 WHERE state = 'queued' AND published_at IS NULL AND jobs_job.queue > queues.queue
                 ORDER BY queue LIMIT 1)
          FROM queues WHERE queue IS NOT NULL
    ), due AS (
        SELECT found.id, found.available_at
          FROM queues, LATERAL (
               SELECT id, available_at FROM jobs_job
                WHERE state = 'queued' AND published_at IS NULL AND jobs_job.queue = queues.queue
                  AND available_at <= statement_timestamp()
                ORDER BY available_at LIMIT %s FOR UPDATE SKIP LOCKED) AS found
         WHERE queues.queue NOT IN (SELECT queue FROM jobs_pausedqueue)
    )
    UPDATE jobs_job SET published_at = clock_timestamp()
     WHERE id IN (SELECT id FROM due ORDER BY available_at LIMIT %s)
    RETURNING {_MESSAGE}
"""  # noqa: S608  constants


def due(limit: int) -> list[Message]:
    """Mark as rung, and return, jobs whose time has come or that were never rung, oldest first; none of paused queues.

    Rows that another dispatcher has in hand are passed over. Died before it rang: see :func:`lost`.

    The queues are found by leaping from one to the next along the index, and each is asked by itself: a million jobs of
    a paused queue cost nothing (read through in the order of their times, a second each second).
    """
    # Not clock_timestamp(), which may change from row to row: the index could not be asked, and every job that waits for
    # its time would be looked at (a million: 11 s each second, not 0.2 ms).
    rows = run(_DUE, [limit, limit])
    if rows:
        failpoint("rung")
    return _messages(rows)


def now() -> datetime:
    """Return the database's time: the only clock that the ledger goes by."""
    [(moment,)] = run("SELECT clock_timestamp()")
    return moment  # type: ignore[no-any-return]


def waiting(limits: dict[str, int], before: datetime) -> dict[str, int]:
    """Count, for each queue, the jobs that were rung before a moment and that nobody has claimed.

    Args:
        limits: the queues, each with the number at which counting stops: the question stays as cheap as its answer is
            useful.
        before: jobs rung since then may be on their way to the broker.

    """
    # The order is for the planner: without it, a queue that is most of the table is read from end to end.
    rows = run(
        """
        SELECT queue, (SELECT count(*)
                         FROM (SELECT 1 FROM jobs_job
                                WHERE state = 'queued' AND jobs_job.queue = asked.queue AND published_at < %s
                                ORDER BY published_at LIMIT asked.most) AS counted)
          FROM unnest(%s::text[], %s::int[]) AS asked (queue, most)
        """,
        [before, list(limits), list(limits.values())],
    )
    return dict(rows)


def unheard(queue: str, before: datetime, present: Collection[str], limit: int) -> set[str]:
    """Return the ids of jobs of a queue that were rung for and are unclaimed, and whose messages are not in the broker.

    Args:
        queue: which.
        before: only jobs that were rung before this moment.
        present: ids of the messages that the queue hands out next.
        limit: how many jobs are looked at, the longest waiting first: a queue hands out its oldest message first, so
            theirs are among those next ones, if they are anywhere.

    """
    rows = run(
        """
        SELECT id FROM (SELECT id FROM jobs_job
                         WHERE state = 'queued' AND queue = %s AND published_at < %s
                         ORDER BY published_at LIMIT %s) AS oldest
         WHERE id <> ALL(%s)
        """,
        [queue, before, limit, list(present)],
    )
    return {row[0] for row in rows}


def lost(ids: Collection[str], before: datetime) -> list[Message]:
    """Mark as rung again, and return, those of the jobs that were rung before a moment and are still unclaimed."""
    rows = run(
        f"""
        UPDATE jobs_job SET published_at = clock_timestamp()
         WHERE id IN (SELECT id FROM jobs_job WHERE id = ANY(%s) AND state = 'queued' AND published_at < %s
                       FOR UPDATE SKIP LOCKED)
        RETURNING {_MESSAGE}
        """,  # noqa: S608
        [list(ids), before],
    )
    return _messages(rows)


class Orphan(NamedTuple):
    """A running job whose claimant is gone."""

    id: str
    attempt: int
    task: str
    worker: str
    losses: int  # before this one


def orphans(limit: int) -> list[Orphan]:
    """Return running jobs whose claimant's database connection is gone, or whose deadline has passed.

    A backend with the same number that began after the claim is somebody else's.
    """
    rows = run(
        """
        SELECT id, attempt, task, worker, losses
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
        f"""
        UPDATE jobs_job
           SET {ended("lost")},
               state = 'queued', claimed_by = NULL, deadline = NULL, published_at = NULL,
               available_at = clock_timestamp(), losses = losses + 1
          FROM unnest(%s::text[], %s::int[]) AS orphan (id, attempt)
         WHERE jobs_job.id = orphan.id AND jobs_job.attempt = orphan.attempt AND state = 'running'
        RETURNING jobs_job.id
        """,  # noqa: S608  our own words
        [[orphan.id for orphan in found], [orphan.attempt for orphan in found]],
    )
    return len(rows)
