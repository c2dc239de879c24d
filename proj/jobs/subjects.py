"""What a job is about: finds the business object behind a label or a task id, and the jobs behind an object.

The job runtime knows no other app. Each app registers its own kinds of objects when it is ready. A job that is owed
has its subject in its row (``subject = "order"`` on the task makes it ``order:42``), and one that has ended in its
result; what an app has noted about its tasks finds the rest.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Subject(NamedTuple):
    """The business object that a task works on."""

    label: str  # such as "order:42"
    owner_id: int | None  # primary key of the user who may see it; None: staff only
    url: str  # its page
    staff_url: str = ""  # its page in the admin, if that is another one


class Kind(NamedTuple):
    """How an app finds its objects of one kind."""

    resolve: Callable[[str], Subject | None]  # by what follows the colon in the label; None: there is none
    find: Callable[[str], Subject | None] | None  # by the id of a task that is known to work on it
    task_ids: Callable[[str], Sequence[str]] | None  # the ids of such tasks, by what follows the colon


_kinds: dict[str, Kind] = {}


def register(
    kind: str,
    resolve: Callable[[str], Subject | None],
    *,
    find: Callable[[str], Subject | None] | None = None,
    task_ids: Callable[[str], Sequence[str]] | None = None,
) -> None:
    """Make a kind of business objects known; the arguments are those of :class:`Kind`."""
    _kinds[kind] = Kind(resolve, find, task_ids)


def resolve(label: str) -> Subject | None:
    """Return the subject with a label; None when there is no such object, or nobody knows its kind."""
    kind, _, identity = label.partition(":")
    return _kinds[kind].resolve(identity) if kind in _kinds and identity else None


def find(task_id: str) -> Subject | None:
    """Return the subject of a task, or None when no app knows the task."""
    lookups = [kind.find for kind in _kinds.values() if kind.find is not None]
    return next((subject for lookup in lookups if (subject := lookup(task_id)) is not None), None)


def task_ids(label: str) -> list[str]:
    """Return the ids of tasks that are known to have worked on the object with a label."""
    kind, _, identity = label.partition(":")
    known = _kinds.get(kind)
    return list(known.task_ids(identity)) if known is not None and known.task_ids and identity else []
