"""Schedules as the dashboard shows them: what is late first, then what comes next."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured
from django_celery_beat.models import PeriodicTask

from proj.jobs.schedules import decided_until, next_slots, policy_of, timing_of

#: A beat decides about a slot within two seconds; one that is restarted, within some more.
LATE = timedelta(seconds=20)


class Line(NamedTuple):
    """A schedule."""

    pk: int
    name: str
    last: datetime | None
    next: datetime | None  # None: it will not run again
    late: timedelta | None  # how long a slot has been waiting for a beat
    trouble: str  # why it cannot run at all


def timetable(schedules: Sequence[PeriodicTask], now: datetime) -> list[Line]:
    """Return a line for each schedule, the most pressing first."""
    return sorted((_line(schedule, now) for schedule in schedules), key=_pressing)


def _line(schedule: PeriodicTask, now: datetime) -> Line:
    coming, late, trouble = None, None, ""
    try:
        coming = next(iter(next_slots(schedule, now, 1)), None)
        due = next(timing_of(schedule).after(decided_until(schedule)), None)
        # A slot that waits for the run before it to end is not late: its policy says so.
        if due is not None and now - due > LATE and policy_of(schedule).waiting_slot is None:
            late = now - due
    except (ValueError, OverflowError, ImproperlyConfigured) as error:
        trouble = str(error)
    return Line(schedule.pk, schedule.name, schedule.last_run_at, coming, late, trouble)


def _pressing(line: Line) -> tuple[bool, bool, float, str]:
    when = line.next.timestamp() if line.next else float("inf")
    return not line.trouble, line.late is None, when, line.name
