"""How the console writes figures and lengths of time."""

from datetime import datetime, timedelta

from django import template
from django.http import QueryDict

from proj.console.facts import MOST_COUNTED, Kind
from proj.jobs.console import length

MINUTE = 60

register = template.Library()


@register.filter
def number(count: int) -> str:
    """Return a number with its thousands apart."""
    return f"{count:,}"


@register.filter
def counted(number: int, most: int = MOST_COUNTED) -> str:
    """Return a number that was counted up to an end: ``"1,000+"``."""
    return f"{most:,}+" if number >= most else f"{number:,}"


@register.filter
def span(time: timedelta | None) -> str:
    """Return a length of time in its largest unit; nothing for none."""
    return "" if time is None else length(max(time.total_seconds(), 0))


@register.filter
def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago a moment was."""
    return span(now - moment)


@register.filter
def until(moment: datetime, now: datetime) -> str:
    """Return how long it is until a moment."""
    return span(moment - now)


@register.filter
def took(end: datetime, begin: datetime) -> str:
    """Return the time between two moments, to a hundredth of a second if it was short: most attempts are."""
    seconds = max((end - begin).total_seconds(), 0)
    return f"{seconds:.2f} s" if seconds < MINUTE else length(seconds)


@register.filter
def query_of_kind(kind: Kind) -> str:
    """Return the query that lists dead jobs of a kind: by the task, and by the longest words that their errors share."""
    query = QueryDict(mutable=True)
    query.update({"state": "dead", "task": kind.task})
    words = max(kind.error.split("#"), key=len).strip()
    if words:
        query["error"] = words
    return query.urlencode()
