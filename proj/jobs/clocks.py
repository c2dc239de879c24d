"""When the clocks of a time zone change next, and when a schedule runs around that."""

from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice, takewhile

from proj.jobs.slots import Timing

#: Zones that change their clocks do so within this.
AHEAD = timedelta(days=400)
#: How long before and after a change runs are looked for, and how many are named.
AROUND, MOST = timedelta(hours=4), 12
_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)


def next_change(zone: tzinfo, after: datetime) -> datetime | None:
    """Return the minute at which the clocks of a zone show another time from UTC than a minute before; None: they never do."""
    before = after.astimezone(UTC).replace(second=0, microsecond=0)
    offset, end = before.astimezone(zone).utcoffset(), before + AHEAD
    while (before + _DAY).astimezone(zone).utcoffset() == offset:
        before += _DAY
        if before > end:
            return None
    low, high = 0, _DAY // _MINUTE  # minutes after `before`: the old time, and the new one
    while high - low > 1:
        middle = (low + high) // 2
        is_old = (before + middle * _MINUTE).astimezone(zone).utcoffset() == offset
        low, high = (middle, high) if is_old else (low, middle)
    return (before + high * _MINUTE).astimezone(zone)


def runs_around(timing: Timing, change: datetime) -> list[datetime]:
    """Return when a schedule runs in the hours around a change, by the clocks of the zone."""
    moment = change.astimezone(UTC)  # hours on the clocks of the zone are the wrong ones to reckon with
    slots = takewhile(lambda slot: slot < moment + AROUND, timing.after(moment - AROUND))
    return [slot.astimezone(change.tzinfo) for slot in islice(slots, MOST)]
