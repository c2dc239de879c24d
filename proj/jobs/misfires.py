"""What becomes of slots that nobody was there for. Pure: the slots that are due in, the ones to run out."""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import TextChoices

from proj.jobs.slots import Due

#: Slots of one schedule that are enqueued at once, at most. A schedule of every second whose beat stood still for a while
#: is caught up with; one of every millisecond is not.
AT_ONCE = 100


class Misfire(TextChoices):
    """What to do about missed slots, when beat comes to them too late."""

    SKIP = "skip", "Skip: a run that is missed is not made up for"
    LATEST = "latest", "Latest: however many were missed, one run makes up for them"
    ALL = "all", "All: every run that was missed is made up for, up to a number"


class Range(NamedTuple):
    """Slots in a row that are not run."""

    first: datetime
    last: datetime
    size: int


class Choice(NamedTuple):
    """Every slot that is due is in exactly one of these; those that are not run come first in time."""

    skipped: Range | None
    runs: tuple[datetime, ...]


def kept(limit: int) -> int:
    """How many of the last slots :func:`choose` wants to see one by one."""
    return AT_ONCE + limit + 1  # one more, for the end of what is skipped


def choose(due: Due, now: datetime, *, misfire: str, missed_after: timedelta, limit: int) -> Choice:
    """Decide about the slots that are due.

    A slot that is not later than ``missed_after`` is no misfire: it runs, whatever the policy. The others are missed;
    when there are some that are not, these make up for them under :attr:`Misfire.LATEST`.

    Args:
        due: the slots, the last :func:`kept` of them one by one.
        now: the moment of the decision.
        misfire: what to do about missed ones.
        missed_after: how late a slot may be.
        limit: how many missed ones :attr:`Misfire.ALL` runs at most: the latest.

    """
    punctual = tuple(slot for slot in due.recent if now - slot <= missed_after)[-AT_ONCE:]
    missed = due.recent[: len(due.recent) - len(punctual)]
    made_up: tuple[datetime, ...] = ()
    if misfire == Misfire.ALL:
        made_up = missed[max(0, len(missed) - limit) :]
    elif misfire == Misfire.LATEST and not punctual:
        made_up = missed[-1:]
    runs = made_up + punctual
    return Choice(skipped_before(due, runs), runs)


def skipped_before(due: Due, runs: tuple[datetime, ...]) -> Range | None:
    """Return the slots that are due and not among ``runs``, which are the last of them."""
    size = due.size - len(runs)
    if due.first is None or size == 0:
        return None
    return Range(due.first, due.recent[-1 - len(runs)], size)
