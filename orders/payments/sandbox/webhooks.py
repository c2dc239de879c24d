"""Webhooks: each event, signed, to each endpoint, again and again until it is accepted.

What is to be delivered is in the books before anything is sent, so a provider that was killed goes on when it is
started again. As with Stripe there is no promise of order, and what was accepted may come again.
"""

import hashlib
import hmac
import http.client
import json
import sqlite3
import time
from itertools import product
from typing import NamedTuple
from urllib.parse import urlsplit

from orders.payments.sandbox import events
from orders.payments.sandbox.books import Books
from orders.payments.sandbox.faults import OF_WEBHOOKS, Fault, Faults, Strike

TIMEOUT = 10  # seconds for an endpoint to answer, as a merchant would want it: Stripe's is 20
# Stripe tries for three days, at first after minutes; a sandbox is watched by people and tests.
FIRST_PAUSE, LONGEST_PAUSE, GIVEN_UP_AFTER = 0.5, 60.0, 3 * 24 * 3600.0  # seconds
GAP = 0.3  # seconds between the webhooks of one request that are delivered in the wrong order
AT_ONCE = 200  # deliveries or events looked at in one go


class Endpoint(NamedTuple):
    """Where webhooks go. While a secret is being replaced there are two, and each webhook is signed with both."""

    url: str
    secrets: tuple[str, ...]


class Delivery(NamedTuple):
    number: int
    event: str
    endpoint: int  # its place among the endpoints
    tries: int


def signature(body: bytes, secrets: tuple[str, ...], moment: int) -> str:
    """The Stripe-Signature header, https://docs.stripe.com/webhooks#verify-manually."""
    signed = f"{moment}.".encode() + body
    marks = [f"v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}" for secret in secrets]
    return ",".join([f"t={moment}", *marks])


def plan(books: Books, faults: Faults, endpoints: int, held: frozenset[str]) -> None:
    """Write down what is to be delivered of the events that nobody has looked at, except those of `held` requests."""
    sql = "SELECT * FROM events WHERE planned = 0 ORDER BY number LIMIT ?"
    fresh = [row for row in books.rows(sql, AT_ONCE + len(held)) if row["request_id"] not in held]
    if not fresh:
        return
    with books.transaction():
        dues = due_times(fresh, faults, time.time())
        for row, moments in zip(fresh, dues, strict=True):
            for endpoint, moment in product(range(endpoints), moments):
                books.rows(
                    "INSERT INTO deliveries (event, endpoint, due) VALUES (?, ?, ?)",
                    row["id"],
                    endpoint,
                    moment,
                )
            books.rows("UPDATE events SET planned = 1 WHERE number = ?", row["number"])


def due_times(fresh: list[sqlite3.Row], faults: Faults, now: float) -> list[list[float]]:
    """When each event is delivered: once, now, unless a fault strikes it."""
    strikes = [strike_of(row, faults) for row in fresh]
    reordered = {
        row["request_id"] for row, strike in zip(fresh, strikes, strict=True)
        if strike and strike.fault is Fault.WEBHOOK_REORDER
    }  # fmt: skip
    times = []
    for place, (row, strike) in enumerate(zip(fresh, strikes, strict=True)):
        due, copies = now, 1
        if row["request_id"] in reordered:
            due += GAP * sum(later["request_id"] == row["request_id"] for later in fresh[place:])
        if strike and strike.fault is Fault.WEBHOOK_DELAY:
            due += strike.seconds
        if strike and strike.fault is Fault.WEBHOOK_DUPLICATE:
            copies = strike.copies
        times.append([due] * copies)
    return times


def strike_of(row: sqlite3.Row, faults: Faults) -> Strike | None:
    asked = f"{row['type']} {row['key'] or row['object']}"
    return faults.strike(OF_WEBHOOKS, asked, method="POST", path=row["path"] or "", event=row["type"])


def due(books: Books, now: float, endpoints: int) -> list[Delivery]:
    rows = books.rows(
        """SELECT number, event, endpoint, tries FROM deliveries
           WHERE done IS NULL AND due <= ? AND endpoint < ? ORDER BY due, number LIMIT ?""",
        now, endpoints, AT_ONCE,
    )  # fmt: skip
    return [Delivery(*row) for row in rows]


def next_due(books: Books) -> float | None:
    """When the next one is due, in Unix seconds."""
    moment: float | None = books.rows("SELECT min(due) AS due FROM deliveries WHERE done IS NULL")[0]["due"]
    return moment


def untried(books: Books, request_id: str) -> int:
    """How many webhooks that the request has caused were not yet sent once."""
    sql = """SELECT count(*) FROM events LEFT JOIN deliveries ON deliveries.event = events.id
             WHERE events.request_id = ? AND (planned = 0 OR tries = 0)"""
    return int(books.rows(sql, request_id)[0][0])


def deliver(books: Books, endpoint: Endpoint, delivery: Delivery) -> None:
    """Send it and write down what came of it; no transaction is open meanwhile."""
    body = json.dumps(events.retrieve(books, delivery.event, {}), indent=2).encode()
    status, error = send(endpoint, body)
    now, tries = time.time(), delivery.tries + 1
    accepted = status is not None and status // 100 == http.client.OK // 100
    first = books.rows("SELECT created FROM events WHERE id = ?", delivery.event)[0]["created"]
    over = accepted or now - first > GIVEN_UP_AFTER
    pause = min(FIRST_PAUSE * 2 ** min(delivery.tries, 16), LONGEST_PAUSE)
    books.rows(
        "UPDATE deliveries SET tries = ?, status = ?, error = ?, done = ?, due = ? WHERE number = ?",
        *(tries, status, error, now if over else None, now + pause, delivery.number),
    )


def send(endpoint: Endpoint, body: bytes) -> tuple[int | None, str | None]:
    """The status of the answer, or None and why there is none."""
    url = urlsplit(endpoint.url)
    connecting = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": signature(body, endpoint.secrets, int(time.time())),
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }
    connection = connecting(url.netloc, timeout=TIMEOUT)
    try:
        connection.request("POST", f"{url.path or '/'}{'?' + url.query if url.query else ''}", body, headers)
        response = connection.getresponse()
        response.read(1 << 16)
    except (OSError, http.client.HTTPException) as error:
        return None, f"{type(error).__name__}: {error}"
    else:
        return response.status, None
    finally:
        connection.close()
