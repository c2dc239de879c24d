"""Time that passes without anybody waiting: all that is stored, here and at the provider, is made older.

So three days take a moment, no clock is turned, and what is measured is what it would have taken.
"""

import math
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from orders.models import Order
from orders.payments.models import EventState, PaymentAttempt, Refund, WebhookEvent
from orders.states import FINAL
from proj.jobs import ledger
from proj.jobs.ledger.statements import run
from proj.jobs.models import Job, State

#: What beat sends, and how often (seconds): see proj/schedule.py.
BEATS = {"orders.resume_stuck_orders": 30, "payments.resolve_unknown": 60}
TICK = 30
#: What has not ended after so many seconds counts as never ending.
LONGEST = 3600
_DATED = """
    SELECT table_name, array_agg(column_name::text) FROM information_schema.columns
     WHERE table_schema = 'public' AND data_type = 'timestamp with time zone'
       AND (table_name ~ '^(orders|payments)_' OR table_name = 'jobs_job')
       AND table_name <> 'payments_journalentry'  -- append-only
     GROUP BY 1 ORDER BY 1
"""
_DATED_AT_PROVIDER = """
    SELECT tables.name, columns.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
     WHERE tables.type = 'table' AND columns.name IN ('created', 'due', 'done') ORDER BY 1
"""
_WITH_BODY = ("intents", "refunds", "events", "answers")


def age(books: Path, seconds: float) -> int:
    """Make everything older, by whole seconds; return how many."""
    whole = math.ceil(seconds)
    for table, columns in run(_DATED):
        older = ", ".join(f"{column} = {column} - make_interval(secs => {whole})" for column in columns)
        run(f"UPDATE {table} SET {older}")  # noqa: S608  names from the catalogue
    with closing(sqlite3.connect(books, timeout=10)) as provider:
        for table, column in provider.execute(_DATED_AT_PROVIDER).fetchall():
            provider.execute(f"UPDATE {table} SET {column} = {column} - {whole}")  # noqa: S608
        for table in _WITH_BODY:
            created = f"(body ->> '$.created') - {whole}"
            provider.execute(f"UPDATE {table} SET body = json_replace(body, '$.created', {created})")  # noqa: S608
        provider.commit()
    return whole


def settle(
    work: Callable[[Sequence[str]], None], books: Path, *, longest: float = LONGEST
) -> tuple[bool, float]:
    """Work and let time pass until there is nothing left to do.

    Args:
        work: does what is due, after it has enqueued the tasks that it is given the names of.
        books: the provider's.
        longest: seconds after which to give up.

    Returns:
        Whether it came to an end, and how many seconds were left out.

    """
    skipped = ticked = 0.0
    while not has_ended():
        if skipped > longest:
            return False, skipped
        wait, due = _until_next_job(), []
        if wait is None or skipped + wait - ticked >= TICK:
            wait = max(0.0, TICK - (skipped - ticked))
            ticked = skipped + wait
            due = [name for name, every in BEATS.items() if round(ticked) % every < TICK]
        if wait > 0:
            skipped += age(books, wait)
        work(due)
    return True, skipped


def has_ended() -> bool:
    """Whether nothing is owed, and nothing is left open in the tables of orders and of payments."""
    return not (
        Job.objects.exclude(state=State.DEAD).exists()
        or Order.objects.exclude(status__in=FINAL).exists()
        or PaymentAttempt.objects.open().exists()
        or Refund.objects.open().exists()
        or WebhookEvent.objects.filter(state=EventState.RECEIVED).exists()
    )


def _until_next_job() -> float | None:
    """Return the seconds until the next job is due; None if there is none."""
    following = Job.objects.filter(state=State.QUEUED).order_by("available_at").first()
    return max(0.0, (following.available_at - ledger.now()).total_seconds()) if following else None
