"""Tasks that may begin only so often, over all workers: decided where a job is claimed.

Celery's own ``rate_limit`` counts in each worker by itself, and keeps in its memory what it has taken and may not run yet; the
ledger would find those messages lost, and ring again. Here a job whose turn it is not goes back to its row with a time of its
own: it is *booked*, the next behind the last, and rung for then.

Whether it is a job's turn is one number for each task (GCRA: a leaky bucket that is a moment): ``free_at``, when the next may
begin. Each claim moves it on by the task's interval. It may run ahead of the clock by ``BURST``, because the bell is
rung once a second: without that, of the ten that come at once with ten a second nine would be sent away.

Died between: a job is claimed or booked in one statement, with the number, or neither is written. A turn that a dead
worker took is gone, and the next comes an interval later. Removing a rate, or changing it, sets free what it had booked.
"""

from typing import Any

from proj.jobs.ledger.statements import LAZY, run

#: Seconds that claims may run ahead of their turns: two ticks of the dispatcher.
BURST = 2.0
#: How a job is marked that waits for its turn, and not for a time of its own. A claim clears it.
BOOKED = '{"state": "BOOKED"}'

_EVERY = "make_interval(secs => jobs_taskrate.per::float8 / jobs_taskrate.runs)"
_WAITS = """
    EXISTS (SELECT FROM jobs_job WHERE id = %s AND task = %s AND state = 'queued' AND available_at <= clock_timestamp()
               AND queue NOT IN (SELECT queue FROM jobs_pausedqueue))
"""

#: Before the claim of a job of a task that has a rate: a turn, if there is one to be had.
TURN = f"""
    WITH turn AS (
        UPDATE jobs_taskrate SET free_at = greatest(free_at, clock_timestamp()) + {_EVERY}
         WHERE task = %s AND free_at <= clock_timestamp() + make_interval(secs => {BURST})
           AND {_WAITS}
        RETURNING task
    )
"""  # noqa: S608  our own words


def book(job_id: str, task: str) -> bool:
    """Give a job the next time that is free, if its task has a rate; return whether it has."""
    rows = run(
        f"""
        WITH booked AS (
            UPDATE jobs_taskrate SET booked_until = greatest(booked_until, free_at, clock_timestamp()) + {_EVERY}
             WHERE task = %s AND {_WAITS}
            RETURNING booked_until
        )
        UPDATE jobs_job SET available_at = booked_until, published_at = NULL, progress = '{BOOKED}'::jsonb
          FROM booked, {LAZY}
         WHERE id = %s AND state = 'queued'
        RETURNING 1
        """,  # noqa: S608
        [task, job_id, task, job_id],
    )
    return bool(rows)


def unbook(task: str) -> int:
    """Let the jobs of a task begin that were booked, because its rate is another one now; return how many there were."""
    rows: list[Any] = run(
        """
        UPDATE jobs_job SET available_at = clock_timestamp(), progress = NULL
         WHERE state = 'queued' AND published_at IS NULL AND task = %s AND progress ->> 'state' = 'BOOKED'
        RETURNING 1
        """,
        [task],
    )
    return len(rows)
