"""What a task is about: finds the business object, and with it the owner, behind a task id.

The job runtime knows no other app. Each app registers a lookup for its own tasks when it is ready.
"""

from collections.abc import Callable
from typing import NamedTuple


class Subject(NamedTuple):
    """The business object that a task works on."""

    label: str  # such as "order:42"
    owner_id: int | None  # primary key of the user who may see it; None: staff only
    url: str  # its page


Lookup = Callable[[str], Subject | None]

_lookups: list[Lookup] = []


def register(lookup: Lookup) -> None:
    """Add a function that takes a task id and returns its subject, or None when it knows none."""
    if lookup not in _lookups:
        _lookups.append(lookup)


def find(task_id: str) -> Subject | None:
    """Return the subject of a task, or None when no app claims it."""
    for lookup in _lookups:
        subject = lookup(task_id)
        if subject is not None:
            return subject
    return None
