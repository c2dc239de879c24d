"""How often something may happen in any stretch of time: counted in Redis by the `limits` library, for all processes together.

Of the library's strategies the moving window is the one that holds to what is set: in no stretch more than so many, whatever
came before. Its sliding window of two counters lets up to twice as many through around its border. The price is a list of as
many times as are allowed, 9 kB of Redis for 300. The times are the callers': hosts whose clocks are 10 ms apart err by 10 ms.

Redis away: nothing is counted and nothing is refused. What is limited goes on without its doorman (ADR 15).
"""

import logging
import time
from collections.abc import Callable
from functools import cache, cached_property
from typing import NamedTuple, TypeVar

from django.conf import settings
from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError

#: Seconds. A Redis of ours answers in less than 1 ms; to connect and to be told nothing takes twice this.
ANSWER_WITHIN = 0.2
#: Seconds that a Redis which did not answer is left alone: one call has paid for a time-out, and none after it does.
QUIET_SECONDS = 5.0

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")


class Room(NamedTuple):
    """How much room a window has."""

    left: int  # how many more there may be now
    reset: float  # seconds until the oldest that counts no longer does


class MovingWindow:
    """Counts in the Redis that is the broker.

    Args:
        name: the prefix of its keys.
        seconds: the stretch of time.
        what: what is counted, for the log: "calls of the API".
    """

    def __init__(self, name: str, seconds: int, what: str) -> None:
        self._name, self._seconds, self._what = name, seconds, what

    def take(self, most: int, *whose: str) -> bool | None:
        """Count one, if there is room for it.

        Args:
            most: how many there may be within the window. May differ from call to call: those that were counted count.
            whose: each has a window of its own.

        Returns:
            Whether there was room; None while Redis is away.
        """
        return self._counter().ask(lambda limiter: limiter.hit(_Limit(most, self._seconds), *whose))

    def room(self, most: int, *whose: str) -> Room | None:
        """Look at a window without counting; see :meth:`take`. None while Redis is away."""
        stats = self._counter().ask(
            lambda limiter: limiter.get_window_stats(_Limit(most, self._seconds), *whose)
        )
        return None if stats is None else Room(max(stats.remaining, 0), stats.reset_time - time.time())

    def _counter(self) -> "_Counter":
        transport = settings.CELERY_BROKER_TRANSPORT_OPTIONS
        prefix = f"{transport.get('global_keyprefix', '')}{self._name}"
        return _counter(settings.CELERY_BROKER_URL, prefix, self._what)


class _Limit(RateLimitItemPerSecond):
    """So many in a window. The library's own puts the number into the key: each change of it would begin at nothing."""

    def key_for(self, *identifiers: bytes | str | float) -> str:
        return "/".join(str(identifier) for identifier in identifiers)


class _Counter:
    """The windows under one prefix of one Redis; and whether that was away when it was last asked."""

    def __init__(self, url: str, prefix: str, what: str) -> None:
        self._url, self._prefix, self._what = url, prefix, what
        self._quiet_until = 0.0
        self._away = False

    def ask(self, question: Callable[[MovingWindowRateLimiter], Answer]) -> Answer | None:
        """Return the answer to a question; None if Redis does not give one, or lately did not."""
        if time.monotonic() < self._quiet_until:
            return None
        try:
            answer = question(self._limiter)
        except (RedisError, OSError, ValueError) as error:  # the last: a broker that is no Redis
            self._note_absence(error)
            return None
        self._note_presence()
        return answer

    @cached_property
    def _limiter(self) -> MovingWindowRateLimiter:
        # What is given as a URL tries once; the client's own policy, three more tries with pauses of a second, is for
        # those that are made without one. Threads may share it, and in a forked process it connects anew.
        storage = RedisStorage(
            self._url,
            key_prefix=self._prefix,
            socket_connect_timeout=ANSWER_WITHIN,
            socket_timeout=ANSWER_WITHIN,
        )
        return MovingWindowRateLimiter(storage)

    def _note_absence(self, error: Exception) -> None:
        self._quiet_until = time.monotonic() + QUIET_SECONDS
        if not self._away:
            logger.warning("%s are not limited, Redis is not to be had: %s", self._what, error)
        self._away = True

    def _note_presence(self) -> None:
        if self._away:
            logger.warning("%s are limited again", self._what)
        self._away = False


@cache
def _counter(url: str, prefix: str, what: str) -> _Counter:
    return _Counter(url, prefix, what)
