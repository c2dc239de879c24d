"""The payment sandbox as tests use it: a real process with its books in a temporary folder."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import stripe

KEY = "sk_test_sandbox"
PROJECT = Path(__file__).parent.parent
DEADLINE = 30  # seconds to start or to stop; it takes about one


class Sandbox:
    """A payment sandbox process. `start` after `kill` serves the same books on the same port."""

    def __init__(self, folder: Path) -> None:
        self.books = folder / "books.sqlite3"
        self.log = folder / "sandbox.log"
        self.port = 0
        self.process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "manage.py", "payment_sandbox", "--key", KEY]
        command += ["--port", str(self.port), "--books", str(self.books)]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                command, cwd=PROJECT, env=os.environ.copy(), stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said.startswith("Payment sandbox on http://127.0.0.1:"), self.log.read_text()
        self.port = int(said.partition(",")[0].rpartition(":")[2])

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

    def charges_of(self, order: object) -> list[tuple[int, str]]:
        """(minor units, currency) of each charge captured for the order with this public id."""
        return self.read_books(
            """SELECT charges.amount, charges.currency FROM charges JOIN intents ON intents.id = charges.intent
               WHERE charges.captured = 1 AND intents.body ->> '$.metadata.order' = ?""",
            str(order),
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
