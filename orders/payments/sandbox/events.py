"""Events: what has happened, as it was at that moment. Written in the transaction in which it happens."""

import json
import sqlite3
import time

from orders.payments.sandbox.books import Books, Document
from orders.payments.sandbox.errors import no_such
from orders.payments.sandbox.identifiers import identifier
from orders.payments.sandbox.pages import Collection, listed
from orders.payments.sandbox.parameters import Parameters

API_VERSION = "2026-10-28.endive"  # the version that the official client of today asks for


def record(books: Books, kind: str, subject: Document) -> None:
    """Write down that `kind` has happened to `subject`; webhooks of it follow when the transaction is committed."""
    event = {
        "id": identifier("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": int(time.time()),
        "data": {"object": subject},
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": books.origin.request_id, "idempotency_key": books.origin.key},
        "type": kind,
    }
    books.rows(
        "INSERT INTO events (id, created, type, object, request_id, key, path, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        *(event["id"], event["created"], kind, subject["id"], *books.origin, json.dumps(event)),
    )


def shown(books: Books, row: sqlite3.Row) -> Document:
    """The event with the number of webhooks that are still to be delivered."""
    event: Document = json.loads(row["body"])
    pending = books.rows("SELECT count(*) FROM deliveries WHERE event = ? AND done IS NULL", row["id"])
    return event | {"pending_webhooks": pending[0][0]}


EVENTS = Collection("events", "/v1/events", "event", shown, {"type": "type"})


def retrieve(books: Books, reference: str, _parameters: Parameters) -> Document:
    """GET /v1/events/{id}."""
    rows = books.rows("SELECT * FROM events WHERE id = ?", reference)
    if not rows:
        raise no_such("event", reference, param="id")
    return shown(books, rows[0])


def list_events(books: Books, parameters: Parameters) -> Document:
    """GET /v1/events, of one `type` if asked."""
    return listed(books, EVENTS, parameters)
