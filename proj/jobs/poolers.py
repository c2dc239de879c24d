"""Poolers between us and PostgreSQL: as far as they can be seen from here."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.db import connections

#: Where PgBouncer listens unless told otherwise.
PGBOUNCER_PORT = "6432"


class Pooling(NamedTuple):
    """What two connections to a database show."""

    is_shared: bool  # one backend served both while both were open: transactions are pooled
    is_proxied: bool  # the backend is not the one that answered when we connected


def looks_like_pgbouncer(settings: Mapping[str, Any]) -> str | None:
    """Return what about a database's settings speaks for a PgBouncer that pools transactions; None: nothing does."""
    if str(settings.get("PORT") or "") == PGBOUNCER_PORT:
        return f"port {PGBOUNCER_PORT}"
    if settings.get("DISABLE_SERVER_SIDE_CURSORS"):
        return "DISABLE_SERVER_SIDE_CURSORS is set"
    return None


def pooling_of(alias: str) -> Pooling:
    """Open two connections to a database and compare the backends that serve them.

    A client holds its backend for as long as it is connected, unless transactions are pooled: then the backend that has
    just served the first serves the second. A pooler also gives its clients a key of its own instead of the backend's
    process id.

    Raises:
        django.db.DatabaseError: the database is away.

    """
    first, second = connections[alias].copy(), connections[alias].copy()
    try:
        pids = [_backend_pid(connection) for connection in (first, second)]
        told = [connection.connection.info.backend_pid for connection in (first, second)]
    finally:
        first.close()
        second.close()
    return Pooling(is_shared=pids[0] == pids[1], is_proxied=pids != told)


def _backend_pid(connection: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])
