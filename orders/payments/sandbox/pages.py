"""Lists as Stripe gives them: newest first, page after page.

A page begins below the place of `starting_after` in the books and not at a count of rows, so that what is made
between two pages moves nothing: nothing is given twice, and nothing that was there is left out.
"""

import sqlite3
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from orders.payments.sandbox.books import Books, Document
from orders.payments.sandbox.errors import no_such
from orders.payments.sandbox.parameters import Parameters, integer, refuse_unknown

PAGING = frozenset(("created", "limit", "starting_after"))
FOREVER = 2**53  # Unix seconds, and the largest integer that JSON carries unharmed


class Collection(NamedTuple):
    """What is listed: its table, its path, what one is called, and how a row becomes the object that Stripe shows.

    `filters` are the parameters that ask for equality, each with its column.
    """

    table: str
    url: str
    noun: str
    show: Callable[[Books, sqlite3.Row], Document]
    filters: Mapping[str, str] = MappingProxyType({})


def listed(books: Books, collection: Collection, parameters: Parameters) -> Document:
    """One page: up to `limit` objects made within `created[gte|gt|lte|lt]`, or at `created`."""
    refuse_unknown(parameters, PAGING | set(collection.filters))
    limit = integer(parameters, "limit", 10, least=1, most=100)
    since, until = _span(parameters)
    clauses: list[str] = ["created BETWEEN ? AND ?"]
    values: list[int | str] = [since, until]
    after = parameters.get("starting_after")
    if after is not None:
        clauses.append("number < ?")
        values.append(_place(books, collection, after))
    for name, column in collection.filters.items():
        if name in parameters:
            clauses.append(f"{column} = ?")
            values.append(parameters[name])
    # Names are ours alone; what was sent is bound.
    sql = f"SELECT * FROM {collection.table} WHERE {' AND '.join(clauses)} ORDER BY number DESC LIMIT ?"  # noqa: S608
    rows = books.rows(sql, *values, limit + 1)
    return {
        "object": "list",
        "data": [collection.show(books, row) for row in rows[:limit]],
        "has_more": len(rows) > limit,
        "url": collection.url,
    }


def _span(parameters: Parameters) -> tuple[int, int]:
    if "created" in parameters:
        moment = integer(parameters, "created", 0)
        return moment, moment
    since = max(integer(parameters, "created[gte]", 0), integer(parameters, "created[gt]", -1) + 1)
    until = min(
        integer(parameters, "created[lte]", FOREVER), integer(parameters, "created[lt]", FOREVER + 1) - 1
    )
    return since, until


def _place(books: Books, collection: Collection, reference: str) -> int:
    rows = books.rows(f"SELECT number FROM {collection.table} WHERE id = ?", reference)  # noqa: S608  as above
    if not rows:
        raise no_such(collection.noun, reference, param="starting_after", status=400)
    return int(rows[0]["number"])
