"""Idempotency keys as Stripe defines them, https://docs.stripe.com/api/idempotent_requests.

The first answer to a key is kept, declines included, and given again to every request with that key and the same
parameters. The work and its answer are one transaction of the books: after a crash there are both or neither, so a
charge whose answer never reached the client is answered again and not made again.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from orders.payments.sandbox.books import Books, Document, KeptAnswer, Origin
from orders.payments.sandbox.errors import InvalidRequest, Refusal
from orders.payments.sandbox.parameters import Parameters

KEPT = 24 * 3600  # seconds; after that Stripe forgets the key, and the same request is a new one
LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Document
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spoiling:
    """What a fault does to work: it is done `delay` seconds later; `instead` is what it is answered with, and kept."""

    delay: float = 0
    instead: Answer | None = None


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    id: str
    key: str
    path: str
    parameters: Parameters

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps(sorted(self.parameters.items())).encode()).hexdigest()


class KeysInFlight:
    """The keys being worked on now. In memory: a process that was killed leaves none behind."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        with self._lock:
            if key in self._keys:
                raise InvalidRequest(
                    "There is currently another in-progress request using this Idempotent Key (that probably means you "
                    "submitted twice, and the other request is still going through): "
                    f"{key}. Please try again later.",
                    status=409,
                    code="idempotency_key_in_use",
                )
            self._keys.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._keys.discard(key)


def run_once(
    books: Books, keys: KeysInFlight, request: KeyedRequest, work: Callable[[], Document], spoiling: Spoiling
) -> Answer:
    """The kept answer for the request's key, or do `work` and keep its answer.

    Raises InvalidRequest, and keeps nothing, when the key is too long or in flight, when it was first used with
    another path or other parameters, or when `work` finds the parameters invalid.
    """
    if len(request.key) > LONGEST_KEY:
        raise InvalidRequest(f"Idempotency keys can be at most {LONGEST_KEY} characters long.")
    with keys.hold(request.key):
        time.sleep(spoiling.delay)
        return _run_once(books, request, work, spoiling.instead)


def _run_once(
    books: Books, request: KeyedRequest, work: Callable[[], Document], instead: Answer | None
) -> Answer:
    with books.transaction(Origin(request.id, request.key, request.path)):
        now = int(time.time())
        kept = books.answer(request.key, since=now - KEPT)
        if kept is not None:
            return replay(kept, request)
        done = run(work)
        answer = instead or done
        body = json.dumps(answer.body)
        books.save_answer(
            KeptAnswer(request.key, request.path, request.fingerprint, now, answer.status, body, request.id)
        )
        return answer


def replay(kept: KeptAnswer, request: KeyedRequest) -> Answer:
    """The first answer again, if this is the first request again."""
    if kept.path != request.path:
        raise other_request(request, f"the same endpoint they were first used for ('{kept.path}')")
    if kept.fingerprint != request.fingerprint:
        raise other_request(request, "the same parameters they were first used with")
    headers = {"Idempotent-Replayed": "true", "Original-Request": kept.request_id}
    return Answer(kept.status, json.loads(kept.body), headers)


def run(work: Callable[[], Document]) -> Answer:
    """The outcome of `work` as an answer; only InvalidRequest passes through, and undoes the transaction."""
    try:
        return Answer(200, work())
    except InvalidRequest:
        raise
    except Refusal as refusal:
        return Answer(refusal.status, refusal.body)


def other_request(request: KeyedRequest, what: str) -> InvalidRequest:
    return InvalidRequest(
        f"Keys for idempotent requests can only be used with {what}. Try using a key other than '{request.key}' if "
        f"you meant to execute a different request to {request.path}.",
        kind="idempotency_error",
    )
