"""The provider's own books, in SQLite: what was asked for, what became of it, and the answers given to keyed requests.

The SQL of each noun is in that noun's module; here is what all of them stand on.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from orders.payments.sandbox.schema import SCRIPTS

Document: TypeAlias = dict[str, Any]


class Origin(NamedTuple):
    """The request on whose behalf the books change; both None when the provider changes them by itself."""

    request_id: str | None = None
    key: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What was answered to the first request with an idempotency key. The fields are the columns."""

    key: str
    path: str
    fingerprint: str  # of the parameters
    created: int  # Unix seconds
    status: int
    body: str
    request_id: str


class Books:
    """One SQLite connection, used by one thread at a time.

    SQLite has one writer whatever we do, and a transaction here takes well under a millisecond, so a lock in
    front of a single connection is as fast as a connection for each thread, and never meets SQLITE_BUSY.

    Args:
        path: the file; made if missing.
        settle_after: how many seconds a payment or refund that settles later takes.

    """

    def __init__(self, path: Path, settle_after: float = 2.0) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.settle_after = settle_after
        self.origin = Origin()  # of the open transaction
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        # WAL: others may read the books while we write. NORMAL: a commit outlives kill -9 of this process, though
        # not a power cut, and costs no fsync, which would be most of the time of a charge.
        self._connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
        self._upgrade()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self, origin: Origin = Origin()) -> Iterator[None]:  # noqa: B008  immutable
        """All or nothing: what is written inside is committed together, or not at all if anything is raised."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            self.origin = origin
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Run one statement and return what it finds; outside a transaction it is one by itself."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def intent(self, reference: str) -> Document | None:
        rows = self.rows("SELECT body FROM intents WHERE id = ?", reference)
        return json.loads(rows[0]["body"]) if rows else None

    def save_intent(self, intent: Document) -> None:
        self.rows(
            """INSERT INTO intents (id, created, amount, currency, status, body) VALUES (?, ?, ?, ?, ?, ?)
               ON CONFLICT (id) DO UPDATE SET status = excluded.status, body = excluded.body""",
            *(intent[field] for field in ("id", "created", "amount", "currency", "status")), json.dumps(intent),
        )  # fmt: skip

    def answer(self, key: str, since: int) -> KeptAnswer | None:
        """The answer given to the request with this idempotency key, unless it is older than `since`."""
        rows = self.rows("SELECT * FROM answers WHERE key = ? AND created >= ?", key, since)
        return KeptAnswer(*rows[0]) if rows else None

    def save_answer(self, answer: KeptAnswer) -> None:
        """Keep the answer, in place of one that is too old to be asked for."""
        self.rows("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", *astuple(answer))

    def _upgrade(self) -> None:
        """Run the scripts that these books have not seen yet."""
        seen = self.rows("PRAGMA user_version")[0][0]
        for number, script in enumerate(SCRIPTS[seen:], start=seen + 1):
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;"
            )
