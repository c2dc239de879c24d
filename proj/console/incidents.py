"""What is wrong beyond jobs, such as payments that do not add up: each app registers how its open incidents are found.

    incidents.register("payments", "payments.view_incident", open_incidents)       # in the app's ready()

``open_incidents(limit)`` asks one question that an index answers, and returns the newest and how many there are. The console knows
no other app.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple


class Incident(NamedTuple):
    """One line on the dashboard."""

    text: str  # what is wrong, as a sentence
    url: str  # where it is seen to
    since: datetime | None = None  # None: nobody has noted when


#: Takes how many lines are shown at most; one more tells that there are others.
Look = Callable[[int], Sequence[Incident]]


class Source(NamedTuple):
    name: str
    permission: str  # who may see them
    look: Look


_sources: dict[str, Source] = {}


def register(name: str, permission: str, look: Look) -> None:
    """Make a source of incidents known; see the module."""
    _sources[name] = Source(name, permission, look)


def sources() -> Sequence[Source]:
    """Return every source, in the order of registration."""
    return list(_sources.values())
