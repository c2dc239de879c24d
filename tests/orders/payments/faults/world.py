"""The world of one case: the provider in a process of its own, workers that are killed, a web server, time that passes."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import Request, urlopen

from celery import current_app
from django.conf import settings
from django.db import connection

from orders.models import Order
from proj.jobs import ledger
from proj.jobs.dispatcher import Dispatcher
from proj.jobs.ledger.statements import run
from proj.jobs.models import Job, State
from proj.servers.state import free_port
from tests.chaos import faults
from tests.chaos.effects import Effects
from tests.chaos.processes import Nursery, Process
from tests.orders.payments.faults import passing
from tests.sandbox import KEY, SECRET, Sandbox, sign
from tests.waiting import eventually

Found = TypeVar("Found")

MODULE = "tests.orders.payments.faults.worker"
READ_TIMEOUT = 0.4  # seconds; the sandbox answers within 0.02
HARMED = 200.0  # seconds to wait for the end of what may never come, with a guard off
#: What all else hangs on.
_TABLES = (
    "orders_order, orders_product, payments_incident, payments_provider, payments_webhookevent, jobs_job"
)


class World:
    """Processes and tables for one case after the other; ``clear`` between them."""

    def __init__(self, folder: Path) -> None:
        (folder / "armed").mkdir()
        self.folder, self.effects = folder, Effects(folder)
        self.web_port = free_port()
        self.webhook_url = f"http://127.0.0.1:{self.web_port}/webhooks/payments"
        self.sandbox = Sandbox(folder)
        self.sandbox.start()
        database = urlsplit(settings.DATABASE_URL)._replace(path=f"/{connection.settings_dict['NAME']}")
        self.nursery = Nursery(
            folder,
            {
                faults.FOLDER: str(folder),
                "DATABASE_URL": urlunsplit(database),
                "VAR_DIR": str(folder),
                "EMAIL_URL": "dummymail://",
                "STRIPE_API_KEY": KEY,
                "STRIPE_WEBHOOK_SECRET": SECRET,
            },
            imports=[MODULE],
        )
        self.dispatcher = Dispatcher(current_app)
        self.guards_off: tuple[str, ...] = ()
        self.skipped = 0.0  # seconds that nobody waited for
        self._web: Process | None = None
        self._began = time.monotonic()

    def close(self) -> None:
        self.nursery.close()
        if self.sandbox.process is not None:
            self.sandbox.stop()
        run("TRUNCATE auth_user, orders_product, payments_incident, payments_provider, jobs_job CASCADE")

    def clear(self, *guards_off: str) -> None:
        """Forget every case so far; from now on the processes do without some guards."""
        if guards_off != self.guards_off:
            self.nursery.end_all()  # the web server lives on otherwise
        self.guards_off, self.skipped = guards_off, 0.0
        for armed in (self.folder / "armed").iterdir():
            armed.unlink()
        if self.sandbox.process is None:
            self.sandbox.start()
        self.sandbox.set_faults([])
        run(f"TRUNCATE {_TABLES} CASCADE")
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """What it has taken so far, with the waiting that was left out."""
        return time.monotonic() - self._began + self.skipped

    # --- processes ---------------------------------------------------------------------------------------------------

    def start(self, function: str, **arguments: Any) -> Process:
        """Start a process that calls a function of the worker's module."""
        return self.nursery.fork(
            function,
            call=f"{MODULE}:{function}",
            arguments={"base": self.sandbox.url, **arguments},
            guards_off=self.guards_off,
        )

    def work(self, **arguments: Any) -> None:
        """Let a worker do what is due; what it leaves behind, if it is killed, is set free."""
        self.finish(self.start("work", read_timeout=READ_TIMEOUT, **arguments))

    def finish(self, *workers: Process) -> None:
        """Wait until processes have ended, then do what a dispatcher does about what they have left behind."""
        for worker in workers:
            self.poll(lambda worker=worker: not worker.is_running())
        running = Job.objects.filter(state=State.RUNNING)
        if running.exists():
            self.poll(lambda: bool(self.dispatcher.rescue_orphans()) or not running.exists())

    def serve(self) -> None:
        """See to it that there is a web server."""
        if self._web is None or not self._web.is_running():
            self._web = self.start("serve", port=self.web_port)
            self.poll(self._is_served)

    def _is_served(self) -> bool:
        try:
            return urlopen(f"http://127.0.0.1:{self.web_port}/healthz", timeout=5).status == 200
        except OSError:
            return False

    def deliver(self, event: dict[str, Any]) -> int:
        """Send an event as the provider does, again and again until it is accepted or refused; return the status."""

        def post() -> int | None:
            self.serve()
            body = json.dumps(event).encode()
            headers = {"Content-Type": "application/json", "Stripe-Signature": sign(body)}
            try:
                return urlopen(Request(self.webhook_url, body, headers), timeout=10).status  # noqa: S310
            except HTTPError as refusal:
                return refusal.code if refusal.code < 500 else None
            except OSError:
                return None  # it has been killed

        return self.poll(post)

    def events(self, order: Order) -> list[dict[str, Any]]:
        """Return what the provider has to say of an order, oldest first, as it said it when it happened."""
        rows = self.sandbox.read_books("SELECT body FROM events ORDER BY number")
        found = [json.loads(body) for (body,) in rows]
        mine = str(order.public_id)
        return [event for event in found if event["data"]["object"].get("metadata", {}).get("order") == mine]

    def asked(self) -> int:
        """Return how many requests our processes have made of the provider."""
        return len(self.effects.read(kind="asked"))

    @staticmethod
    def poll(look: Callable[[], Found]) -> Found:
        """Look until what is seen is true, a hundred times a second: all of this is over in a moment."""
        return eventually(look, pause=0.01)

    # --- time --------------------------------------------------------------------------------------------------------

    def age(self, seconds: float) -> None:
        """Let time pass for everything that is stored."""
        self.skipped += passing.age(self.sandbox.books, seconds)

    def settle(self) -> bool:
        """Let workers work and time pass until there is nothing left to do; whether it came to that."""
        longest = HARMED if self.guards_off else passing.LONGEST
        ended, skipped = passing.settle(
            lambda tasks: self.work(tasks=tasks), self.sandbox.books, longest=longest
        )
        self.skipped += skipped
        return ended

    def hasten(self) -> None:
        """Let what waits for its next try be due now."""
        ledger.hasten(list(Job.objects.filter(state=State.QUEUED).values_list("pk", flat=True)))
