"""The provider's own books, in SQLite: the intents, every charge tried, and the answers given to keyed requests."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, TypeAlias

Document: TypeAlias = dict[str, Any]

# `number` orders objects made within the same second. A charge is captured at most once per intent, by an index.
SCHEMA = """
CREATE TABLE IF NOT EXISTS intents (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    status TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS charges (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    intent TEXT NOT NULL REFERENCES intents (id),
    created INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    captured INTEGER NOT NULL CHECK (captured IN (0, 1)),
    decline_code TEXT
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS charges_captured_once ON charges (intent) WHERE captured = 1;
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    created INTEGER NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    request_id TEXT NOT NULL
) STRICT;
"""


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
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        # WAL: others may read the books while we write. NORMAL: a commit outlives kill -9 of this process, though
        # not a power cut, and costs no fsync, which would be most of the time of a charge.
        self._connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: what is written inside is committed together, or not at all if anything is raised."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def intent(self, reference: str) -> Document | None:
        rows = self._rows("SELECT body FROM intents WHERE id = ?", reference)
        return json.loads(rows[0]["body"]) if rows else None

    def intents(self, *, after: str | None, since: int, until: int, limit: int) -> list[Document]:
        """Newest first, made in `since` <= created <= `until` (Unix seconds), older than the intent `after`."""
        rows = self._rows(
            """SELECT body FROM intents WHERE created BETWEEN ? AND ?
               AND number < coalesce((SELECT number FROM intents WHERE id = ?), 9223372036854775807)
               ORDER BY number DESC LIMIT ?""",
            since, until, after, limit,
        )  # fmt: skip
        return [json.loads(row["body"]) for row in rows]

    def save_intent(self, intent: Document) -> None:
        self._rows(
            """INSERT INTO intents (id, created, amount, currency, status, body) VALUES (?, ?, ?, ?, ?, ?)
               ON CONFLICT (id) DO UPDATE SET status = excluded.status, body = excluded.body""",
            *(intent[field] for field in ("id", "created", "amount", "currency", "status")), json.dumps(intent),
        )  # fmt: skip

    def add_charge(self, reference: str, intent: Document, created: int, decline_code: str | None) -> None:
        """A charge that was tried on the card: captured, or declined with the bank's code."""
        self._rows(
            """INSERT INTO charges (id, intent, created, amount, currency, captured, decline_code)
               VALUES (?, ?, ?, ?, ?, ?, ?)""",
            reference, intent["id"], created, intent["amount"], intent["currency"], decline_code is None, decline_code,
        )  # fmt: skip

    def answer(self, key: str, since: int) -> KeptAnswer | None:
        """The answer given to the request with this idempotency key, unless it is older than `since`."""
        rows = self._rows("SELECT * FROM answers WHERE key = ? AND created >= ?", key, since)
        return KeptAnswer(*rows[0]) if rows else None

    def save_answer(self, answer: KeptAnswer) -> None:
        """Keep the answer, in place of one that is too old to be asked for."""
        self._rows("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", *astuple(answer))
