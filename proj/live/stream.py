"""One client's stream of events: waits for news in a thread of the web server and writes them down."""

import json
import random
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from socket import socket

from django.db import connection

from proj.live.kinds import Kind, State

#: Seconds. Proxies cut a connection that is silent for 60 s (nginx, AWS) or 30 s (some phones' networks).
HEARTBEAT = 15.0
#: Seconds after which a stream that nobody has looked after ends: a heartbeat means that news would have been seen.
UNWATCHED = 10.0
#: Seconds that a stream lasts, at most: below the 60 s after which many proxies end any request.
LIFETIME = 55.0
#: By so much shorter at random: clients that came at once, after a restart, do not all come back at once.
SPREAD = 5.0
#: Milliseconds until a client comes back: a new process needs about a second to start.
RETRY = (500, 1500)

BEAT = b"event: heartbeat\ndata: {}\n\n"  # not a comment: a page must see it to know that the line is alive


class Stream:
    """What is sent to one client about one object. Iterate it once; `close` it in any case.

    Args:
        kind: of the object.
        key: its primary key.
        name: what clients call it.
        person: who follows it: the primary key of a user.
        seen: the version that the client has seen; empty if none.
        line: the client's connection, if the server lets us see it, to notice that it has gone.
        forget: called once the stream is over.
    """

    def __init__(  # noqa: PLR0913  most are by keyword
        self,
        kind: Kind,
        key: int,
        name: str,
        *,
        person: int,
        seen: str = "",
        line: socket | None = None,
        forget: "Callable[[Stream], None] | None" = None,
    ) -> None:
        self.kind, self.key, self.person, self.line = kind, key, person, line
        self._name = name
        self._offered = seen
        self._forget = forget
        self._news: SimpleQueue[State | None] = SimpleQueue()
        self._watched = time.monotonic()
        self._deadline = time.monotonic() + LIFETIME - random.uniform(0, SPREAD)  # noqa: S311  no secret

    @property
    def is_overdue(self) -> bool:
        """Nobody can be reading it any more: the server has lost it on the way."""
        return time.monotonic() > self._deadline + SPREAD

    def offer(self, state: State | None) -> None:
        """Tell what the object is like now; None: it is gone. Only one thread may offer."""
        self._watched = time.monotonic()
        if state is None:
            self.end()
        elif state.version != self._offered:
            self._offered = state.version
            self._news.put(state)

    def end(self) -> None:
        """End it soon. Safe in a signal handler: a SimpleQueue may be put into at any moment."""
        self._news.put(None)

    def __iter__(self) -> Iterator[bytes]:
        if not connection.in_atomic_block:  # but for tests, which look at it from inside a transaction
            connection.close()  # it was needed to see who asks; fifty idle ones are half of what PostgreSQL allows
        yield f"retry: {random.randint(*RETRY)}\n\n".encode()  # noqa: S311
        while (left := self._deadline - time.monotonic()) > 0:
            try:
                news = self._news.get(timeout=min(left, HEARTBEAT))
            except Empty:
                if time.monotonic() - self._watched > UNWATCHED:
                    return
                yield BEAT
                continue
            if news is None:
                return
            yield self._event(news)
            if news.ended:
                return

    def close(self) -> None:
        """Give its place to another."""
        if self._forget is not None:
            self._forget(self)

    def _event(self, state: State) -> bytes:
        data = json.dumps({"id": self._name, "status": state.status, "ended": state.ended})
        return f"id: {state.version}\nevent: change\ndata: {data}\n\n".encode()
