"""Slots: the moments that a schedule names. Pure: moments in, moments out, all of them aware, and in UTC.

A slot is when a run is *due*, whenever it is really enqueued. It follows from the schedule alone, so every beat computes
the same ones, and a schedule that is late does not drift.
"""

import functools
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo

from celery.schedules import ParseException, crontab, solar

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
#: How far a crontab is searched for a day that it names. The rarest, a 29 February on a given weekday, comes round at the
#: latest after 40 years.
HORIZON = timedelta(days=41 * 366)


class Due(NamedTuple):
    """The slots of a stretch of time: how many, the first, and the last few."""

    size: int
    first: datetime | None
    recent: tuple[datetime, ...]


class Timing(ABC):
    """Names slots."""

    @abstractmethod
    def after(self, moment: datetime) -> Iterator[datetime]:
        """Return the slots later than ``moment``, in order."""

    def due(self, since: datetime, until: datetime, keep: int) -> Due:
        """Return the slots later than ``since`` and not later than ``until``; the last ``keep`` of them one by one."""
        count, first, recent = 0, None, deque[datetime](maxlen=keep)
        for slot in self.after(since):
            if slot > until:
                break
            count, first = count + 1, first or slot
            recent.append(slot)
        return Due(count, first, tuple(recent))


@dataclass(frozen=True)
class Interval(Timing):
    """Every ``period`` from ``anchor`` on: a grid that a late run does not move."""

    anchor: datetime
    period: timedelta

    def after(self, moment: datetime) -> Iterator[datetime]:
        step = 0 if moment < self.anchor else (moment - self.anchor) // self.period + 1
        slot = self.anchor + step * self.period
        while True:
            yield slot
            slot += self.period

    def due(self, since: datetime, until: datetime, keep: int) -> Due:
        first = next(self.after(since))
        if first > until:
            return Due(0, None, ())
        count = (until - first) // self.period + 1  # a month of seconds is not worth walking through
        recent = (first + step * self.period for step in range(max(0, count - keep), count))
        return Due(count, first, tuple(recent))


@dataclass(frozen=True)
class Clocked(Timing):
    """Once."""

    moment: datetime

    def after(self, moment: datetime) -> Iterator[datetime]:
        if self.moment > moment:
            yield self.moment


@dataclass(frozen=True)
class Solar(Timing):
    """An event of the sun at a place, as Celery computes it; needs the ``ephem`` package."""

    event: Any  # one of the names that Celery's solar knows
    latitude: float
    longitude: float

    def after(self, moment: datetime) -> Iterator[datetime]:
        at = moment
        while True:
            sun = solar(self.event, self.latitude, self.longitude, nowfun=functools.partial(_same, at))
            slot = (at + sun.remaining_estimate(at)).replace(microsecond=0)
            if slot - at >= MINUTE:  # or it is the event that we start from, found again a moment later
                yield slot
            at = max(slot, at + MINUTE)


def _same(moment: datetime) -> datetime:
    return moment


@dataclass(frozen=True)
class Crontab(Timing):
    """Times of the clock on the wall of a time zone, also on the two days a year when it is put forward or back.

    - A job of every hour, or of ``*/n`` minutes, follows the wall literally: a time that the wall shows twice is two
      slots, one that it never shows is none. Every hour is 23 and 25 runs.
    - Any other names moments of a day: each is one slot every day. Of a time that is shown twice it is the first; one that
      is never shown is due when the clock jumps over it.

    This is what cron has done for decades. A day has to match the month, the day of the month *and* the day of the week,
    as with Celery's crontab, whose expressions it reads.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    literal: bool
    zone: ZoneInfo

    @classmethod
    def parse(cls, zone: ZoneInfo, **expressions: str) -> Self:
        """Read expressions, named as django-celery-beat's crontab names them: ``minute``, ``hour`` and so on.

        Raises:
            ValueError: one of them says nothing, or they name a day that no month has.

        """
        fields = {name: "".join(expression.split()) for name, expression in expressions.items()}
        try:
            spec: Any = crontab(**fields)
        except ParseException as error:
            raise ValueError(str(error)) from error
        return cls(
            minutes=frozenset(spec.minute),
            hours=frozenset(spec.hour),
            days=frozenset(spec.day_of_month),
            months=frozenset(spec.month_of_year),
            weekdays=frozenset(spec.day_of_week),
            literal=fields.get("minute", "*").startswith("*") or len(spec.hour) == len(range(24)),
            zone=zone,
        )

    def after(self, moment: datetime) -> Iterator[datetime]:
        return self._as_shown(moment) if self.literal else self._once_a_day(moment)

    def _names(self, day: date) -> bool:
        return day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays

    def _as_shown(self, moment: datetime) -> Iterator[datetime]:
        """Walk along real time, and look at the wall."""
        at = moment.astimezone(UTC).replace(second=0, microsecond=0) + MINUTE
        horizon = at + HORIZON
        while at < horizon:
            wall = at.astimezone(self.zone)
            if not self._names(wall.date()):
                at = datetime.combine(wall.date() + DAY, time(), self.zone).astimezone(UTC)
            elif wall.hour not in self.hours:
                at += (60 - wall.minute) * MINUTE
            elif wall.minute not in self.minutes:
                later = (minute for minute in self.minutes if minute > wall.minute)
                at += (min(later, default=60) - wall.minute) * MINUTE
            else:
                yield at
                horizon = at + HORIZON
                at += MINUTE

    def _once_a_day(self, moment: datetime) -> Iterator[datetime]:
        """Walk along the calendar, and look up when the wall shows each time."""
        last = moment.astimezone(UTC)
        day = last.astimezone(self.zone).date() - DAY  # what was jumped over may be due on the next day
        horizon = day + HORIZON
        while day < horizon:
            if self._names(day):
                horizon = day + HORIZON
                times = (time(hour, minute) for hour in self.hours for minute in self.minutes)
                for slot in sorted({_first_shown(datetime.combine(day, at), self.zone) for at in times}):
                    if slot > last:
                        last = slot
                        yield slot
            day += DAY


def _first_shown(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return when a clock first shows ``wall``, or when it jumps over it."""
    at = wall.replace(tzinfo=zone).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == wall:
        return at
    # In the gap the two readings of PEP 495 lie on either side of the jump: close in on it.
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), at
    offset = after.astimezone(zone).utcoffset()
    while after - before > MINUTE:
        middle = before + (after - before) // MINUTE // 2 * MINUTE
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after
