"""The provider's own clock: what it does without being asked, namely to settle what settles later and to send webhooks."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from orders.payments.sandbox import charges, promises, refunds, webhooks
from orders.payments.sandbox.books import Books
from orders.payments.sandbox.faults import Faults
from orders.payments.sandbox.webhooks import Delivery, Endpoint

logger = logging.getLogger(__name__)

SENDERS = 8  # webhooks on their way at the same time
LOOK_EVERY = 0.25  # seconds: somebody may write into the books from outside, as tests do
EARLY_SECONDS = 5  # how long an answer waits for the webhooks that are to come before it


class Courier:
    """One thread that looks at the books, and a few that send. Without endpoints, events wait in the books."""

    def __init__(self, books: Books, faults: Faults, endpoints: Sequence[Endpoint]) -> None:
        self._books, self._faults, self._endpoints = books, faults, endpoints
        self._held: set[str] = set()
        self._on_their_way: set[int] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._sent = threading.Condition()
        self._stopping = False
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="sender")
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish what is on its way; the rest is in the books."""
        self._stopping = True
        self._wake.set()
        self._thread.join()
        self._senders.shutdown()

    @contextmanager
    def holding(self, request_id: str) -> Iterator[None]:
        """The webhooks of the request are sent after its answer, unless `send_now` says otherwise."""
        with self._lock:
            self._held.add(request_id)
        try:
            yield
        finally:
            self._release(request_id)

    def send_now(self, request_id: str) -> None:
        """Send the webhooks of the request and wait until each has been tried."""
        self._release(request_id)
        if self._endpoints:
            with self._sent:
                self._sent.wait_for(lambda: not webhooks.untried(self._books, request_id), EARLY_SECONDS)

    def _release(self, request_id: str) -> None:
        with self._lock:
            self._held.discard(request_id)
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                self._settle()
                if self._endpoints:
                    self._send()
            except Exception:
                logger.exception("the courier stumbled")
            self._wake.wait(self._pause())

    def _settle(self) -> None:
        now = time.time()
        for reference in promises.due(self._books, now):
            with self._books.transaction():
                promises.release(self._books, reference)
                if reference.startswith("re_"):
                    refunds.settle(self._books, refunds.retrieve(self._books, reference, {}))
                elif (intent := self._books.intent(reference)) and intent["status"] == "processing":
                    charges.settle(self._books, intent)

    def _send(self) -> None:
        with self._lock:
            held = frozenset(self._held)
        webhooks.plan(self._books, self._faults, len(self._endpoints), held)
        for delivery in webhooks.due(self._books, time.time(), len(self._endpoints)):
            with self._lock:
                if delivery.number in self._on_their_way:
                    continue
                self._on_their_way.add(delivery.number)
            self._senders.submit(self._deliver, delivery).add_done_callback(self._log)

    def _deliver(self, delivery: Delivery) -> None:
        try:
            webhooks.deliver(self._books, self._endpoints[delivery.endpoint], delivery)
        finally:
            with self._lock:
                self._on_their_way.discard(delivery.number)
            with self._sent:
                self._sent.notify_all()

    def _log(self, sending: Future[None]) -> None:
        if (error := sending.exception()) is not None:
            logger.error("a webhook could not be sent", exc_info=error)

    def _pause(self) -> float:
        moments = [
            promises.next_due(self._books),
            webhooks.next_due(self._books) if self._endpoints else None,
        ]
        soonest = min((moment for moment in moments if moment is not None), default=float("inf"))
        return min(max(soonest - time.time(), 0.01), LOOK_EVERY)
