"""What the dashboard asks: a few questions, however many jobs there are, each answered by an index."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django_celery_beat.models import PeriodicTask

from proj.jobs.attendance import BEAT, GONE_AFTER
from proj.jobs.ledger.statements import run
from proj.jobs.models import QueueMinute, TaskRate
from proj.jobs.schedules import TIMINGS

#: Jobs of a queue are counted up to here, three times: "more than 1,000" tells that it is long, and the broker's own count
#: how long. Up to 10,000 it took 0.2 s of a busy database.
MOST_COUNTED = 1_000
#: Dead jobs are counted up to here: 8 ms.
MOST_DEAD_COUNTED = 10_000
#: Dead jobs among which the kinds of failures are counted, the newest first.
MOST_DEAD = 2_000
#: Kinds of failures that are shown.
KINDS = 6
#: How long a worker that is gone is spoken of.
REMEMBERED = timedelta(minutes=30)
MINUTES = 60


class Depth(NamedTuple):
    """What the ledger holds of a queue."""

    rung: int  # a message was sent
    unrung: int  # due, and no message yet
    later: int  # waits for its time
    running: int
    since: datetime | None  # when the one that waits longest was due

    @property
    def waiting(self) -> int:
        return self.rung + self.unrung


def depths(queues: Sequence[str]) -> Mapping[str, Depth]:
    """Return what the ledger holds of each queue, counted up to ``MOST_COUNTED`` of each kind."""
    rows = run(
        """
        SELECT asked.queue,
               (SELECT count(*) FROM (SELECT FROM jobs_job
                 WHERE state = 'queued' AND published_at IS NOT NULL AND queue = asked.queue
                 ORDER BY published_at LIMIT %s) AS rung),
               (SELECT count(*) FROM (SELECT FROM jobs_job
                 WHERE state = 'queued' AND published_at IS NULL AND queue = asked.queue
                   AND available_at <= statement_timestamp()
                 ORDER BY available_at LIMIT %s) AS unrung),
               (SELECT count(*) FROM (SELECT FROM jobs_job
                 WHERE state = 'queued' AND published_at IS NULL AND queue = asked.queue
                   AND available_at > statement_timestamp()
                 ORDER BY available_at LIMIT %s) AS later),
               (SELECT count(*) FROM jobs_job WHERE state = 'running' AND queue = asked.queue),
               least((SELECT available_at FROM jobs_job
                       WHERE state = 'queued' AND published_at IS NOT NULL AND queue = asked.queue
                       ORDER BY published_at LIMIT 1),
                     (SELECT available_at FROM jobs_job
                       WHERE state = 'queued' AND published_at IS NULL AND queue = asked.queue
                         AND available_at <= statement_timestamp()
                       ORDER BY available_at LIMIT 1))
          FROM unnest(%s::text[]) AS asked (queue)
        """,
        [MOST_COUNTED, MOST_COUNTED, MOST_COUNTED, list(queues)],
    )
    return {queue: Depth(*numbers) for queue, *numbers in rows}


class Minutes(NamedTuple):
    """What ended in each of the last minutes, oldest first."""

    ended: list[int]
    failed: list[int]


def minutes(now: datetime) -> Mapping[str, Minutes]:
    """Return what ended in the last hour, by queue. The minute that runs is left out: it is not over."""
    first = now.replace(second=0, microsecond=0) - timedelta(minutes=MINUTES)
    found: defaultdict[str, Minutes] = defaultdict(lambda: Minutes([0] * MINUTES, [0] * MINUTES))
    for row in QueueMinute.objects.filter(minute__gte=first, minute__lt=first + timedelta(minutes=MINUTES)):
        place = (row.minute - first) // timedelta(minutes=1)
        found[row.queue].ended[place] += row.succeeded + row.failed
        found[row.queue].failed[place] += row.failed
    return found


class Kind(NamedTuple):
    """Dead jobs that died of the same."""

    task: str
    error: str  # numbers and ids are #
    size: int
    newest: datetime
    oldest: datetime


class Dead(NamedTuple):
    size: int  # up to MOST_DEAD_COUNTED
    kinds: list[Kind]  # of the newest MOST_DEAD

    @property
    def most(self) -> int:
        return MOST_DEAD_COUNTED


def dead() -> Dead:
    """Return how many jobs are dead, and of what."""
    rows = run(
        r"""
        SELECT task, regexp_replace(left(error, 200), '[0-9a-f]{8}-[0-9a-f-]{27}|[0-9]+', '#', 'g') AS words,
               count(*), max(created_at), min(created_at),
               (SELECT count(*) FROM (SELECT FROM jobs_job WHERE state = 'dead'
                                       ORDER BY created_at DESC LIMIT %s) AS dead)
          FROM (SELECT task, error, created_at FROM jobs_job WHERE state = 'dead'
                 ORDER BY created_at DESC LIMIT %s) AS newest
         GROUP BY task, words ORDER BY count(*) DESC, task, words LIMIT %s
        """,
        [MOST_DEAD_COUNTED, MOST_DEAD, KINDS],
    )
    return Dead(rows[0][-1] if rows else 0, [Kind(*row[:-1]) for row in rows])


def slowed(now: datetime) -> Sequence[TaskRate]:
    """Return the rates for which jobs wait. One that nobody waits for is as somebody wants it, and no news."""
    return list(TaskRate.objects.filter(booked_until__gt=now).order_by("task"))


class Attendant(NamedTuple):
    """A worker or a beat, and what it does."""

    hostname: str
    takes: list[str]
    queues: list[str]
    pool: str
    size: int
    started_at: datetime
    silent_for: timedelta
    running: int
    oldest: datetime | None  # when what it has run longest was claimed

    @property
    def is_gone(self) -> bool:
        return self.silent_for.total_seconds() >= GONE_AFTER

    @property
    def is_beat(self) -> bool:
        return self.pool == BEAT


def attendants() -> Sequence[Attendant]:
    """Return the workers and the beats that are there, or were a while ago."""
    rows = run(
        """
        SELECT hostname, array(SELECT jsonb_array_elements_text(takes)), array(SELECT jsonb_array_elements_text(queues)),
               pool, size, started_at, clock_timestamp() - seen_at, coalesce(work.running, 0), work.oldest
          FROM jobs_worker
          LEFT JOIN (SELECT worker, count(*) AS running, min(claimed_at) AS oldest
                       FROM jobs_job WHERE state = 'running' GROUP BY worker) AS work ON work.worker = hostname
         WHERE seen_at > clock_timestamp() - %s
         ORDER BY hostname
        """,
        [REMEMBERED],
    )
    return [Attendant(*row) for row in rows]


def schedules() -> Sequence[PeriodicTask]:
    """Return the schedules that are enabled."""
    return list(PeriodicTask.objects.filter(enabled=True).select_related(*TIMINGS, "policy").order_by("name"))
