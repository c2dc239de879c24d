"""How often somebody may call the API: never more than so many times within any minute."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, Throttled
from ninja.throttling import BaseThrottle

from proj.api.problems import UNAUTHENTICATED, Problem
from proj.moving_window import MovingWindow

WINDOW = 60  # seconds
_CALLS = MovingWindow("api", WINDOW, "calls of the API")


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
    quota = rates[policy]
    allowed = _CALLS.take(quota, policy, who)
    room = _CALLS.room(quota, policy, who)
    if allowed is None or room is None:
        return None
    reset = min(max(math.ceil(room.reset), 1), WINDOW)
    return Taken(policy, quota, room.left, reset, allowed)
