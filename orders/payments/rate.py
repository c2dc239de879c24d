"""How often the provider may be asked, by all processes together: counted in Redis by the `limits` library.

Of its strategies the moving window is the one that holds to what is set: in no second more than so many, whatever came
before. Its sliding window of two counters lets up to twice as many through within one second (a window's first call
early, the others at its end), and twice what we set is more than Stripe allows. The price is a list of as many times as
calls are allowed in a second. The times are the callers': hosts whose clocks are 10 ms apart err by 10 ms.
"""

import logging
import time
from functools import cache, cached_property

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


def take(what: str, *, per_second: int) -> float:
    """Count one call, if there is room for it.

    Args:
        what: whom the calls go to; each has a rate of its own.
        per_second: how many there may be in any second. May differ from call to call: those of the last second count.

    Returns:
        0 if the call may be made, which it also may while Redis is away; else the seconds until there is room.
    """
    transport = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    return _counter(settings.CELERY_BROKER_URL, transport.get("global_keyprefix", "")).take(what, per_second)


class _Rate(RateLimitItemPerSecond):
    """So many per second. The library's own puts the number into the key: each change of it would begin at nothing."""

    def key_for(self, *identifiers: bytes | str | float) -> str:
        return "/".join(str(identifier) for identifier in identifiers)


class _Counter:
    """The calls of the last second, in one Redis; and whether that was away when it was last asked."""

    def __init__(self, url: str, prefix: str) -> None:
        self._url, self._prefix = url, prefix
        self._quiet_until = 0.0
        self._away = False

    @cached_property
    def _limiter(self) -> MovingWindowRateLimiter:
        # What is given as a URL tries once; the client's own policy, three more tries with pauses of a second, is for
        # those that are made without one. Threads may share it, and in a forked process it connects anew.
        storage = RedisStorage(
            self._url,
            key_prefix=f"{self._prefix}rate",
            socket_connect_timeout=ANSWER_WITHIN,
            socket_timeout=ANSWER_WITHIN,
        )
        return MovingWindowRateLimiter(storage)

    def take(self, what: str, per_second: int) -> float:
        if time.monotonic() < self._quiet_until:
            return 0.0
        rate = _Rate(per_second)
        try:
            taken = self._limiter.hit(rate, what)
            room_at = 0.0 if taken else self._limiter.get_window_stats(rate, what).reset_time
        except (RedisError, OSError, ValueError) as error:  # the last: a broker that is no Redis
            self._note_absence(error)
            return 0.0
        self._note_presence()
        return 0.0 if taken else max(room_at - time.time(), 0.001)  # it may have come free meanwhile

    def _note_absence(self, error: Exception) -> None:
        self._quiet_until = time.monotonic() + QUIET_SECONDS
        if not self._away:
            logger.warning(
                "the rate of calls to the payment provider is not limited, Redis is not to be had: %s", error
            )
        self._away = True

    def _note_presence(self) -> None:
        if self._away:
            logger.warning("the rate of calls to the payment provider is limited again")
        self._away = False


@cache
def _counter(url: str, prefix: str) -> _Counter:
    return _Counter(url, prefix)
