"""What Redis really holds: the one module that knows how kombu lays messages out in it."""

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from celery import Celery
from kombu.utils.json import loads

#: Seconds from its delivery until a message that nobody claimed counts as lost: its worker died with it in hand, and kombu
#: would deliver it again only after the visibility time-out.
DELIVERY = 5.0


class Look(NamedTuple):
    """One look at the broker."""

    ready: dict[str, int]  # messages that wait in each queue
    delivered: set[str]  # ids of messages that a worker took a moment ago


class Broker:
    """A connection to the broker for looking, kept open between looks."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self._connection: Any = None

    def look(self, queues: Iterable[str]) -> Look:
        """Count what waits in each queue, and name what is on its way to a claim.

        Raises:
            kombu.exceptions.OperationalError: the broker does not answer.

        """
        if self._connection is None:
            self._connection = self.app.connection_for_write()
        channel = self._connection.default_channel
        with self._connection._reraise_as_library_errors():  # noqa: SLF001  kombu has no public name for it
            ready = {queue: int(channel._size(queue)) for queue in queues}  # noqa: SLF001
            return Look(ready, self._delivered(channel))

    def _delivered(self, channel: Any) -> set[str]:
        with channel.conn_or_acquire() as client:
            tags = client.zrangebyscore(channel.unacked_index_key, time.time() - DELIVERY, "+inf")
            deliveries = client.hmget(channel.unacked_key, tags) if tags else []
        return {loads(delivery)[0]["headers"].get("id") for delivery in deliveries if delivery}
