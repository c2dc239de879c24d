"""How often somebody may call the API: counted in Redis by the `limits` library, for all processes together.

A moving window holds to what is set: never more than so many within any minute. (The library's window of two counters lets
up to twice as many through around its border.) Its price is a list of as many times as calls are allowed, 9 kB of Redis for
300. Redis away: nobody is counted and nobody is refused; the shop goes on without its doorman.
"""

import logging
import math
import time
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, Throttled
from ninja.throttling import BaseThrottle
from redis.exceptions import RedisError

from proj.api.problems import UNAUTHENTICATED, Problem

WINDOW = 60  # seconds
#: Seconds. A Redis of ours answers in less than 1 ms; to connect and to be told nothing takes twice this.
ANSWER_WITHIN = 0.2
#: Seconds that a Redis which did not answer is left alone: one call has paid for a time-out, and none after it does.
QUIET_SECONDS = 5.0

logger = logging.getLogger(__name__)


class Taken(NamedTuple):
    """What came of counting a call."""

    policy: str
    quota: int
    left: int
    reset: int  # seconds until there is room for more
    allowed: bool

    @property
    def headers(self) -> dict[str, str]:
        """As the IETF's draft has them (draft-ietf-httpapi-ratelimit-headers-10)."""
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.quota};w={WINDOW}',
            "RateLimit": f'"{self.policy}";r={self.left};t={self.reset}',
        }

    def refusal(self) -> Problem:
        """Return what to say to a call that is not allowed."""
        return Problem(
            429,
            "too_many_requests",
            f"More than {self.quota} calls within {WINDOW} seconds. There is room in {self.reset} seconds.",
            headers={"Retry-After": str(self.reset)},
        )


class PerCaller(BaseThrottle):
    """Counts a call on its caller's account, whichever token it came with; of an address, if it is nobody's.

    The operation runs if there is room. What was found stays at the request, as ``request.rate``.
    """

    def allow_request(self, request: HttpRequest) -> bool:
        taken = count(request)
        request.rate = taken  # type: ignore[attr-defined]  # ours, for the headers of the answer
        return taken is None or taken.allowed


def install(api: NinjaAPI) -> None:
    """Refuse in ``api`` calls that are too many. Who does not say who they are is counted by address, whatever they want."""

    def refuse(request: HttpRequest, _error: Exception) -> HttpResponse:
        taken: Taken = request.rate  # type: ignore[attr-defined]
        return taken.refusal().response(request)

    def turn_away(request: HttpRequest, error: Exception) -> HttpResponse:
        if PerCaller().allow_request(request):
            return UNAUTHENTICATED.response(request)
        return refuse(request, error)

    api.exception_handler(Throttled)(refuse)
    api.exception_handler(AuthenticationError)(turn_away)


def count(request: HttpRequest) -> Taken | None:
    """Count a call; None if it cannot be counted now."""
    if request.user.is_authenticated:
        policy = "read" if request.method in {"GET", "HEAD"} else "write"
        who = f"user:{request.user.pk}"
    else:
        policy, who = "anonymous", f"address:{BaseThrottle().get_ident(request)}"
    rates: Mapping[str, int] = settings.API_RATES
    transport = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    counter = _counter(settings.CELERY_BROKER_URL, transport.get("global_keyprefix", ""))
    return counter.take(policy, rates[policy], who)


class _Rate(RateLimitItemPerSecond):
    """So many in a window. The library's own puts the number into the key: each change of it would begin at nothing."""

    def key_for(self, *identifiers: bytes | str | float) -> str:
        return "/".join(str(identifier) for identifier in identifiers)


class _Counter:
    """The calls of the last window, in one Redis; and whether that was away when it was last asked."""

    def __init__(self, url: str, prefix: str) -> None:
        # What is given as a URL tries once. Threads may share it, and in a forked process it connects anew.
        self._url, self._prefix = url, prefix
        self._limiter: MovingWindowRateLimiter | None = None
        self._quiet_until = 0.0
        self._away = False

    def take(self, policy: str, quota: int, who: str) -> Taken | None:
        if time.monotonic() < self._quiet_until:
            return None
        rate = _Rate(quota, WINDOW)
        try:
            self._limiter = self._limiter or self._connect()
            allowed = self._limiter.hit(rate, policy, who)
            stats = self._limiter.get_window_stats(rate, policy, who)
        except (RedisError, OSError, ValueError) as error:  # the last: a broker that is no Redis
            self._note(error)
            return None
        self._note(None)
        reset = min(max(math.ceil(stats.reset_time - time.time()), 1), WINDOW)
        return Taken(policy, quota, max(stats.remaining, 0), reset, allowed)

    def _connect(self) -> MovingWindowRateLimiter:
        storage = RedisStorage(
            self._url,
            key_prefix=f"{self._prefix}api",
            socket_connect_timeout=ANSWER_WITHIN,
            socket_timeout=ANSWER_WITHIN,
        )
        return MovingWindowRateLimiter(storage)

    def _note(self, error: Exception | None) -> None:
        if error is not None:
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            if not self._away:
                logger.warning("calls of the API are not limited, Redis is not to be had: %s", error)
        elif self._away:
            logger.warning("calls of the API are limited again")
        self._away = error is not None


@cache
def _counter(url: str, prefix: str) -> _Counter:
    return _Counter(url, prefix)
