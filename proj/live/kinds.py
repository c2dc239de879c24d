"""What can be followed: each app says how its objects' versions are read."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection


class State(NamedTuple):
    """What an event tells of an object."""

    version: str  # another one whenever anything changed that its page or the API shows
    status: str
    ended: bool  # nothing is to come any more


@dataclass(frozen=True)
class Kind:
    """How objects of one kind are read: in one query, however many. Those that are gone are left out."""

    name: str
    read: Callable[[Sequence[int]], Mapping[int, State]]


def read_states(sql: str, *, keys: Sequence[int], **values: Iterable[str]) -> dict[int, State]:
    """Run a query for (key, version, status, ended) of the objects ``%(keys)s``; ``values`` are its other arrays.

    Raises:
        django.db.Error: the database is away.
    """
    with connection.cursor() as cursor:
        # str: psycopg would send the name of a member of an enumeration, not its value.
        arrays = {name: [str(value) for value in array] for name, array in values.items()}
        cursor.execute(sql, {"keys": list(keys), **arrays})
        return {key: State(*state) for key, *state in cursor.fetchall()}
