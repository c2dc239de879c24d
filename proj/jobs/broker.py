"""What Redis really holds: the one module that knows how kombu lays messages out in it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from celery import Celery
from kombu.utils.json import loads
from redis import Redis


class Next(NamedTuple):
    """The messages that a queue hands out next."""

    ids: set[str]
    all: bool  # whether there are no others


class Held(NamedTuple):
    """A message that lies in the broker."""

    id: str
    task: str
    step: int  # its list: of these numbers the lowest is handed out first
    arguments: str  # as they were printed when it was sent
    bytes: int


class Broker:
    """A connection to the broker for looking, kept open between looks."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self._connection: Any = None

    def count(self, queues: Iterable[str]) -> dict[str, int]:
        """Count what waits in each queue.

        Raises:
            kombu.exceptions.OperationalError: the broker does not answer.

        """
        with self._asking() as (channel, _):
            return {queue: int(channel._size(queue)) for queue in queues}  # noqa: SLF001  kombu has no public name for it

    def next(self, queue: str, most: int) -> Next:
        """Name the next messages of a queue, at most so many of each priority.

        Raises:
            kombu.exceptions.OperationalError: the broker does not answer.

        """
        with self._asking() as (channel, redis):
            ids, everything = set(), True
            for key in {channel._q_for_pri(queue, step) for step in channel.priority_steps}:  # noqa: SLF001
                messages = redis.lrange(channel.global_keyprefix + key, -most, -1)  # taken from the right
                everything = everything and len(messages) < most
                ids |= {loads(message)["headers"].get("id") for message in messages}
            return Next(ids, everything)

    def peek(self, queue: str, most: int) -> list[Held]:
        """Show the next messages of a queue in the order in which they are handed out, without taking them.

        Raises:
            kombu.exceptions.OperationalError: the broker does not answer.

        """
        held: list[Held] = []
        with self._asking() as (channel, redis):
            for step in sorted(channel.priority_steps):
                key = channel.global_keyprefix + channel._q_for_pri(queue, step)  # noqa: SLF001
                messages = redis.lrange(key, len(held) - most, -1) if len(held) < most else []
                held += [_held(message, step) for message in reversed(messages)]
        return held

    @contextmanager
    def _asking(self) -> Iterator[tuple[Any, Any]]:
        """Hand out kombu's channel, and its connections to Redis without kombu's prefixes, which it knows for few commands."""
        if self._connection is None:
            # The next look is a second away: kombu need not try again by itself, for seconds.
            self._connection = self.app.connection_for_write(transport_options={"max_retries": 0})
        channel = self._connection.default_channel
        with self._connection._reraise_as_library_errors(), channel.conn_or_acquire() as client:  # noqa: SLF001
            yield channel, Redis(connection_pool=client.connection_pool)


def _held(message: bytes, step: int) -> Held:
    headers = loads(message)["headers"]
    arguments = f"{headers.get('argsrepr', '')} {headers.get('kwargsrepr', '')}"
    return Held(headers.get("id", ""), headers.get("task", ""), step, arguments, len(message))
