"""LedgerScheduler: beat over django-celery-beat's tables. Any number of them, and each slot once."""

import logging
import os
import socket
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from celery import Celery
from django.core.exceptions import ImproperlyConfigured
from django.forms.models import model_to_dict
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from proj.jobs import attendance
from proj.jobs.dispatcher import Dispatcher
from proj.jobs.firing import fire
from proj.jobs.ledger.statements import run
from proj.jobs.schedules import TIMINGS, decided_until, policy_of, timing_of
from proj.jobs.watch import AWAY, Watch

logger = logging.getLogger(__name__)

#: Seconds between two looks at the schedules, and between two ticks of the dispatcher.
TICK = 1.0

#: The time, and a number that any change of any schedule changes, also one by .update() or by hand: PostgreSQL stamps each
#: version of a row with the transaction that wrote it. Nobody's clock is compared with anybody's.
_LOOK = """
    SELECT clock_timestamp(), ARRAY[{}]
""".format(
    ", ".join(
        f"(SELECT (count(*), sum(xmin::text::bigint))::text FROM {table})"  # noqa: S608  our own names
        for table in (
            "django_celery_beat_periodictask",
            "django_celery_beat_crontabschedule",
            "django_celery_beat_intervalschedule",
            "django_celery_beat_clockedschedule",
            "django_celery_beat_solarschedule",
            "jobs_schedulepolicy",
        )
    )
)


@dataclass
class Entry:
    """One schedule as this beat knows it, and when it is to be looked at next."""

    schedule: PeriodicTask
    watch: Watch
    due: datetime | None = None  # None: never
    state: tuple[Any, ...] = field(default=())

    def take(self, schedule: PeriodicTask) -> bool:
        """Take a row that was read again. Whether somebody else than a scheduler has changed it."""
        known, state = self.state, _state(schedule)
        if state == known:
            return False
        self.schedule, self.due, self.state = schedule, None, state
        with self.watch:
            self.due = _next_look(schedule)
        return not known or state[0] != known[0]


def _state(schedule: PeriodicTask) -> tuple[Any, ...]:
    policy = policy_of(schedule)
    rows = (schedule, policy, *(getattr(schedule, name) for name in TIMINGS))
    edited = [model_to_dict(row) for row in rows if row is not None]  # of the fields that people may edit
    return edited, schedule.last_run_at, schedule.date_changed, policy.waiting_slot


def _next_look(schedule: PeriodicTask) -> datetime | None:
    slot = next(timing_of(schedule).after(decided_until(schedule)), None)
    moments = [slot, schedule.expires, policy_of(schedule).waiting_slot]
    return min((moment for moment in moments if moment is not None), default=None)


class LedgerScheduler(DatabaseScheduler):  # type: ignore[misc]  # django-celery-beat is untyped
    """Enqueues each slot of each schedule once, whoever else does the same; and rings, as the dispatcher.

    django-celery-beat's tables and its admin stay. What changes is the work: a slot is decided on the locked row, with the
    row as it is at that moment, under an id that follows from the slot. So no beat has to be the first among several, one
    that is killed leaves nothing half done, and nothing is kept in memory that would have to be written later.
    """

    def __init__(self, app: Celery, **options: Any) -> None:
        self.entries: dict[int, Entry] = {}
        self.dispatcher = Dispatcher(app)
        self.hostname = f"beat-{os.getpid()}@{socket.gethostname()}"
        self._seen: list[str] | None = None
        self._dispatched = -TICK
        self._watches = {name: Watch(logger, name) for name in ("the dispatcher", "the schedules")}
        super().__init__(app, **options)

    def setup_schedule(self) -> None:
        """Write nothing: schedules belong to the admins, and ``manage.py ensure_schedules`` creates missing ones.

        Raises:
            ImproperlyConfigured: somebody expects CELERY_BEAT_SCHEDULE to be read.

        """
        if self.app.conf.beat_schedule:
            raise ImproperlyConfigured("CELERY_BEAT_SCHEDULE is not read: list schedules in proj/schedule.py")

    def sync(self) -> None:
        """Write nothing: everything is written already."""

    def close(self) -> None:
        """Say that this beat has ended."""
        with self._watches["the dispatcher"]:
            attendance.leave(self.hostname)
        super().close()

    @property
    def schedule(self) -> dict[str, Entry]:
        """The schedules as this beat knows them, by name."""
        return {entry.schedule.name: entry for entry in self.entries.values()}

    def tick(self, **_: Any) -> float:
        """Do what is due; return the seconds until there may be more."""
        if time.monotonic() - self._dispatched >= TICK:
            self._dispatched = time.monotonic()
            with self._watches["the dispatcher"]:
                attendance.tell(self.hostname, queues=[], takes=[], pool=attendance.BEAT, size=0)
                self.dispatcher.tick()
        wait = TICK
        with self._watches["the schedules"]:
            wait = self.run_due()
        return max(0.0, min(wait, self._dispatched + TICK - time.monotonic()))

    def run_due(self) -> float:
        """Look at the schedules, and decide about every slot that is due; return the seconds until the next."""
        began = time.monotonic()
        [(now, seen)] = run(_LOOK)
        if seen != self._seen:
            self._read()
            self._seen = seen
        due = [entry for entry in self.entries.values() if entry.due is not None and entry.due <= now]
        for entry in sorted(due, key=lambda entry: entry.due or now):
            self._fire(entry, now)
        # What is still due could not be decided now, and would not be any better a moment later.
        later = [
            entry.due - now for entry in self.entries.values() if entry.due is not None and entry.due > now
        ]
        return min(later).total_seconds() - (time.monotonic() - began) if later else TICK

    def _fire(self, entry: Entry, now: datetime) -> None:
        schedule = None
        with entry.watch:
            schedule = fire(self.app, entry.schedule.pk, now)
        if schedule is not None:
            entry.take(schedule)

    def _read(self) -> None:
        """Read the schedules again, and say which somebody has changed."""
        known, self.entries, changed = self.entries, {}, []
        for schedule in PeriodicTask.objects.filter(enabled=True).select_related(*TIMINGS, "policy"):
            watch = Watch(logger, f"schedule {schedule.name!r}", but=AWAY)
            entry = known.pop(schedule.pk, None) or Entry(schedule, watch)
            self.entries[schedule.pk] = entry
            if entry.take(schedule):
                changed.append(schedule.name)
        changed += [entry.schedule.name for entry in known.values()]
        if changed and self._seen is not None:
            logger.info("Schedule changed: %s", ", ".join(changed))
