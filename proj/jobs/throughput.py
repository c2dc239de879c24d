"""How much ended in each minute in each queue: added up by the beats from the results, for whoever looks.

A dashboard that counted a busy hour's results itself would read a million rows each time; so the last minutes are added up as
they pass, and it reads sixty rows for each queue.
"""

from datetime import datetime, timedelta

from proj.jobs.ledger.statements import run
from proj.jobs.models import QueueMinute

#: Seconds between two additions. Each reads the results of the last two minutes: 30 ms at 300 jobs a second.
EVERY = 15.0
#: How far back is added up after no beat was there.
MOST = timedelta(hours=1)
KEPT = timedelta(days=7)

# Not clock_timestamp(), which may change from row to row: the index could not be asked (a million results: 10 s, not 60 ms).
# The queue is in the text that the result backend has encoded. Read by pattern, because a cast would fail on a text
# that is not JSON, and with it everything.
_ADD_UP = """
    INSERT INTO jobs_queueminute (minute, queue, succeeded, failed)
    SELECT minute, queue, count(*) FILTER (WHERE status = 'SUCCESS'), count(*) FILTER (WHERE status = 'FAILURE')
      FROM (SELECT date_trunc('minute', date_done) AS minute, status,
                   substring(meta FROM '"queue" ?: ?"([^"]*)"') AS queue
              FROM django_celery_results_taskresult
             WHERE date_done >= greatest(
                       least(date_trunc('minute', statement_timestamp() - interval '1 minute'),
                             (SELECT max(minute) FROM jobs_queueminute)),
                       date_trunc('minute', statement_timestamp() - %s))
               AND status IN ('SUCCESS', 'FAILURE')) AS ended
     WHERE queue IS NOT NULL
     GROUP BY minute, queue
    ON CONFLICT (minute, queue) DO UPDATE SET succeeded = excluded.succeeded, failed = excluded.failed
"""


def add_up() -> None:
    """Add up the last two minutes, and those before them that nobody has added up. Any number of beats may."""
    run(_ADD_UP, [MOST])


def purge(limit: int, now: datetime) -> int:
    """Delete what is too old for any curve."""
    old = QueueMinute.objects.filter(minute__lt=now - KEPT).order_by("minute").values("pk")[:limit]
    deleted, _ = QueueMinute.objects.filter(pk__in=old).delete()
    return deleted
