"""The timetable that the code brings along. Created where missing, then owned by the admins: never overwritten.

``manage.py ensure_schedules`` reads it. Times are UTC; an admin changes them, pauses an entry or adds others in the
Django admin, and the running beat follows within seconds. Pause an entry rather than delete it: a deleted one is
missing, and would be created again.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple


class Crontab(NamedTuple):
    """Minute and hour of every day, UTC."""

    minute: str
    hour: str


class Entry(NamedTuple):
    """One line of the timetable."""

    name: str
    task: str
    when: Crontab | timedelta
    why: str


SCHEDULES: Sequence[Entry] = (
    Entry(
        "Nightly clean-up",
        "reports.clean_up",
        Crontab(minute="0", hour="2"),
        "Deletes expired carts, sessions, uploads and report files in small batches, when few people are about.",
    ),
    Entry(
        "Result clean-up",
        "reports.purge_results",
        Crontab(minute="30", hour="3"),
        "Deletes task results older than CELERY_RESULT_EXPIRES, in small batches.",
    ),
    Entry(
        "Daily sales report",
        "reports.build_daily_report",
        Crontab(minute="15", hour="0"),
        "Yesterday's sales, once the day is over.",
    ),
    Entry(
        "Stuck orders",
        "orders.resume_stuck_orders",
        timedelta(seconds=30),
        "An order that has not moved for a while gets its next step enqueued again.",
    ),
    Entry(
        "Payments without an outcome",
        "payments.resolve_unknown",
        timedelta(minutes=1),
        "A payment or a refund that got no answer is looked up at the provider.",
    ),
    Entry(
        "Nightly reconciliation",
        "payments.reconcile",
        Crontab(minute="0", hour="4"),
        "Compares the last three days with the provider; what differs becomes an incident.",
    ),
    Entry(
        "Waiting webhooks",
        "hooks.resume_waiting",
        timedelta(minutes=1),
        "A webhook whose job was lost, or cancelled, is enqueued again.",
    ),
    Entry(
        "Stuck avatars",
        "media.resume_stuck_avatars",
        timedelta(minutes=1),
        "An upload whose processing was lost is enqueued again.",
    ),
    Entry(
        "Stuck reports",
        "reports.resume_stuck_reports",
        timedelta(minutes=5),
        "A report whose last step was lost is finished.",
    ),
)
