"""The payment sandbox as tests use it: a real process with its books in a temporary folder."""

import json
import os
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
import stripe

KEY = "sk_test_sandbox"
SECRET = "whsec_sandbox"
PROJECT = Path(__file__).parent.parent
DEADLINE = 30  # seconds to start or to stop; it takes about one


class Delivery(NamedTuple):
    """A webhook as the provider's books have it; `status` is that of the last answer, None without one."""

    kind: str
    object: str
    endpoint: int
    tries: int
    status: int | None
    done: bool


class Sandbox:
    """A payment sandbox process. `start` after `kill` serves the same books on the same port, with the same options."""

    def __init__(self, folder: Path) -> None:
        self.books = folder / "books.sqlite3"
        self.log = folder / "sandbox.log"
        self.port = 0
        self.process: subprocess.Popen[str] | None = None
        self.options: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(
        self,
        *,
        webhook: str | Sequence[str] = (),
        secret: str = SECRET,
        faults: float = 0,
        seed: int = 0,
        settle_after: float | None = None,
    ) -> None:
        """Start it; what is not given stays as it was at the last start.

        Args:
            webhook: where events go, one address or several.
            secret: what webhooks are signed with; two with a comma between them sign each webhook twice.
            faults: the share of requests, and of webhooks, that a fault strikes.
            seed: of those faults.
            settle_after: seconds until what settles later does.

        """
        urls = [webhook] if isinstance(webhook, str) else webhook
        options = [option for url in urls for option in ("--webhook", url, "--webhook-secret", secret)]
        options += ["--faults", str(faults), "--seed", str(seed)] if faults else []
        options += [] if settle_after is None else ["--settle-after", str(settle_after)]
        self.options = options or self.options
        command = [sys.executable, "-m", "orders.payments.sandbox", "--key", KEY]
        command += ["--port", str(self.port), "--books", str(self.books), *self.options]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                command, cwd=PROJECT, env=os.environ.copy(), stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said.startswith("Payment sandbox on http://127.0.0.1:"), self.log.read_text()
        self.port = int(said.partition(",")[0].rpartition(":")[2])

    def set_faults(self, rules: list[dict[str, Any]]) -> None:
        """Let these faults strike from now on, and no others; see `orders.payments.sandbox.faults`."""
        self._control("POST", rules)

    def faults(self) -> list[dict[str, Any]]:
        """The rules in force, with how often each still strikes."""
        return self._control("GET")["data"]

    def struck(self) -> dict[str, int]:
        """How often each fault has struck since the start."""
        return self._control("GET")["struck"]

    def _control(self, method: str, rules: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {KEY}"}
        answer = requests.request(
            method, f"{self.url}/sandbox/faults", json=rules, headers=headers, timeout=10
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL, in the middle of whatever it does."""
        assert self.process is not None
        self.process.kill()
        self._reap()

    def stop(self) -> int:
        """End it as a supervisor would: SIGTERM. Returns the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self._reap()

    def _reap(self) -> int:
        assert self.process is not None
        process, self.process = self.process, None
        code = process.wait(DEADLINE)
        assert process.stdout is not None
        process.stdout.close()
        return code

    def client(self, key: str = KEY) -> stripe.StripeClient:
        """The official client, talking to this process."""
        http = stripe.RequestsClient(timeout=10)
        return stripe.StripeClient(
            key, base_addresses={"api": self.url}, http_client=http, max_network_retries=0
        )

    def read_books(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the provider's own books, read from the file while it serves."""
        with closing(sqlite3.connect(self.books)) as books:
            return books.execute(sql, values).fetchall()

    def write_books(self, sql: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.books)) as books:
            books.execute(sql, values)
            books.commit()

    def settle_now(self) -> None:
        """Let the bank answer at once what it was to answer later."""
        self.write_books("UPDATE promises SET due = 0")

    def charges_of(self, order: object) -> list[tuple[int, str]]:
        """(minor units, currency) of each charge captured for the order with this public id."""
        return self.read_books(
            """SELECT charges.amount, charges.currency FROM charges JOIN intents ON intents.id = charges.intent
               WHERE charges.captured = 1 AND intents.body ->> '$.metadata.order' = ?""",
            str(order),
        )

    def refunds_of(self, order: object) -> list[tuple[int, str]]:
        """(minor units, currency) of each refund that has not failed, of the order with this public id."""
        return self.read_books(
            """SELECT refunds.amount, refunds.currency FROM refunds JOIN intents ON intents.id = refunds.payment_intent
               WHERE refunds.status != 'failed' AND intents.body ->> '$.metadata.order' = ? ORDER BY refunds.number""",
            str(order),
        )

    def events(self) -> list[tuple[str, str]]:
        """(type, id of the object) of each event, in the order in which they happened."""
        return self.read_books("SELECT type, object FROM events ORDER BY number")

    def deliveries(self) -> list[Delivery]:
        """What has been, or is to be, sent to the endpoints, in the order in which it was planned."""
        return [
            Delivery(*row)
            for row in self.read_books(
                """SELECT type, object, endpoint, tries, status, done IS NOT NULL
                   FROM deliveries JOIN events ON events.id = deliveries.event ORDER BY deliveries.number"""
            )
        ]

    def undelivered(self) -> int:
        """How many webhooks are still to be accepted, those of events that nobody has looked at included."""
        return self.read_books(
            """SELECT (SELECT count(*) FROM deliveries WHERE done IS NULL)
                    + (SELECT count(*) FROM events WHERE planned = 0)"""
        )[0][0]


def make_event(kind: str, subject: dict[str, Any], *, event_id: str = "", at: float | None = None) -> bytes:
    """The body of a webhook that says `kind` happened to `subject`, such as "payment_intent.succeeded"."""
    event = {
        "id": event_id or f"evt_{uuid.uuid4().hex[:24]}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(at or time.time()),
        "data": {"object": subject},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
    return json.dumps(event).encode()


def sign(body: bytes, *secrets: str, at: float | None = None) -> str:
    """The Stripe-Signature header of a webhook, by the official client; `at` is the time of signing, now if None."""
    moment = int(at or time.time())
    signed = [
        stripe.WebhookSignature.generate_signature_header(body.decode(), secret, moment)
        for secret in secrets or (SECRET,)
    ]
    return ",".join([signed[0], *(header.partition(",")[2] for header in signed[1:])])


def post_event(client: Any, body: bytes, *secrets: str, at: float | None = None) -> Any:
    """Sign a webhook and post it to the shop with Django's test client; returns the response."""
    return client.post(
        "/webhooks/payments",
        body,
        content_type="application/json",
        headers={"Stripe-Signature": sign(body, *secrets, at=at)},
    )


@pytest.fixture(scope="session")
def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One process for every test that leaves it running; each must use keys and orders of its own."""
    sandbox = Sandbox(tmp_path_factory.mktemp("payments"))
    sandbox.start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A process of the test's own, with empty books, to kill and start again."""
    sandbox = Sandbox(tmp_path)
    sandbox.start()
    yield sandbox
    if sandbox.process is not None:
        sandbox.stop()
