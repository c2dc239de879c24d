"""Asks the database for all streams of this process together, and tells each its news."""

import logging
import os
import select
import threading
import time
from collections import defaultdict

from django.db import Error, connection

from proj.live.kinds import Kind
from proj.live.stream import Stream

#: Seconds between two looks. An event is late by half of it, on average; a query for 50 orders takes 2 ms.
INTERVAL = 0.5
#: Seconds after which a look that has not come to an end is taken to hang, on a connection that is dead but not closed.
HANGS = 10.0

logger = logging.getLogger(__name__)


class NoRoom(Exception):  # noqa: N818
    """There are as many streams as this process bears, or it is about to stop."""


class NoRoomForPerson(NoRoom):
    """Whoever asks has as many streams as one person may have here."""


class Watcher:
    """The streams of this process, and the thread that looks for their news while there are any."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)  # the thread and its streams are the parent's

    def _reset(self) -> None:
        self._streams: set[Stream] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._looked = time.monotonic()
        self._away = False

    def __len__(self) -> int:
        return len(self._streams)

    def add(self, stream: Stream, *, bound: int, each: int) -> None:
        """Look after a stream.

        Args:
            stream: the new one.
            bound: how many there may be.
            each: how many of them may be one person's.

        Raises:
            NoRoom: it would be one too many, or the process is about to stop; NoRoomForPerson, for this person.
        """
        with self._lock:
            if self._stopping or len(self._streams) >= bound:
                raise NoRoom
            # A copy: streams that are over leave at any moment, without the lock.
            if sum(other.person == stream.person for other in tuple(self._streams)) >= each:
                raise NoRoomForPerson
            if not self._streams:
                self._looked = time.monotonic()  # it had nothing to look at
            self._streams.add(stream)
            self._ensure_thread()
        self._end_if_stopping(stream)
        self._wake.set()

    def forget(self, stream: Stream) -> None:
        """A stream is over."""
        self._streams.discard(stream)

    def stop(self) -> None:
        """End all streams now and take no more. May be called by a signal handler: takes no lock."""
        self._stopping = True
        for stream in tuple(self._streams):
            stream.end()

    def _ensure_thread(self) -> None:
        """Start the thread, or another in place of one that has died or hangs."""
        hangs = time.monotonic() - self._looked > HANGS
        if self._thread is None or hangs or not self._thread.is_alive():
            self._looked = time.monotonic()
            self._thread = threading.Thread(target=self._run, name="live", daemon=True)
            self._thread.start()

    def _end_if_stopping(self, stream: Stream) -> None:
        """A signal may have come since the question was asked, and its handler not have seen this stream."""
        if self._stopping:
            stream.end()

    def _run(self) -> None:
        while self._thread is threading.current_thread():  # else another has taken its place
            if not self._streams:
                connection.close()
                self._wake.wait()
            self._wake.clear()
            begun = time.monotonic()
            try:
                self._let_go()
                self.look()
                self._away = False
            except Error as error:
                connection.close()  # the next look opens another
                if not self._away:
                    logger.warning("live: the database does not answer: %s", error)
                self._away = True
            except Exception:  # it must not end while anybody waits for it
                logger.exception("live: a look failed")
            self._looked = time.monotonic()
            time.sleep(max(0.0, INTERVAL - (time.monotonic() - begun)))

    def look(self) -> None:
        """Ask once for each kind, and offer every stream what its object is like.

        Raises:
            django.db.Error: the database is away.
        """
        watched: dict[Kind, dict[int, list[Stream]]] = defaultdict(lambda: defaultdict(list))
        for stream in tuple(self._streams):
            watched[stream.kind][stream.key].append(stream)
        for kind, streams in watched.items():
            states = kind.read(list(streams))
            for key, followers in streams.items():
                for follower in followers:
                    follower.offer(states.get(key))

    def _let_go(self) -> None:
        """End the streams of clients that have gone, and forget those that the server has lost."""
        streams = tuple(self._streams)
        for stream in streams:
            if stream.is_overdue:
                self.forget(stream)
        if not hasattr(select, "POLLRDHUP"):  # Linux has it; elsewhere the next write finds out
            return
        gone = select.poll()
        lines: dict[int, Stream] = {}
        for stream in streams:
            # -1 is a connection that was closed between the two lines; its stream closes as well.
            if stream.line is not None and (number := stream.line.fileno()) >= 0:
                lines[number] = stream
                gone.register(number, select.POLLRDHUP)
        for number, _ in gone.poll(0):
            lines[number].end()


watcher = Watcher()
