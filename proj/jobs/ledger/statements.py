"""How the ledger talks to the database: one statement, its rows, and nothing in between."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

#: In a FROM clause: the commit of this statement does not wait for the disk. Only for what a redelivery would repair
#: (a claim, a result): a database that crashes in the next 200 ms forgets it, and the job runs again. Never for
#: what is owed or for business data.
LAZY = "(SELECT set_config('synchronous_commit', 'off', true)) AS lazy"


def run(sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Execute one statement and return its rows; an empty list for one that returns none."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else []


def count(sql: str, params: Sequence[Any] = ()) -> int:
    """Execute one statement and return how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.rowcount
