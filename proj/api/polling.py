"""For whoever asks again and again how far something is: 304 while nothing has changed, and when to ask again."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar, cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_vary_headers
from ninja.decorators import decorate_view
from ninja.utils import contribute_operation_callback

from proj.api.describing import describe

#: Seconds. What began a minute ago will hardly be ready in the next second: wait a tenth of its age, within these.
SOONEST, LATEST = 1, 30

_IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "required": False,
    "description": "ETag of the answer that is known already.",
    "schema": {"type": "string"},
}

View = TypeVar("View", bound=Callable[..., Any])
Run = Callable[..., HttpResponseBase]


def look_again(response: HttpResponse, since: datetime) -> None:
    """Say when to ask again about something that has not ended.

    Args:
        response: gets ``Retry-After``, in seconds.
        since: when it began.
    """
    age = (timezone.now() - since).total_seconds()
    response["Retry-After"] = str(min(max(int(age / 10), SOONEST), LATEST))


def revalidated(view: View) -> View:
    """Give the answers of an operation an ``ETag``; who has the same already gets 304 and no body.

    The tag is a digest of the answer, so nothing that it shows can change without it.
    """
    decorate_view(_revalidate)(view)
    contribute_operation_callback(
        view,
        describe(
            parameters=[_IF_NONE_MATCH],
            responses={304: {"description": "It is as it was: what has this ETag is still right."}},
            headers={(200, 304): ["ETag", "Retry-After"]},
        ),
    )
    return view


def _revalidate(run: Run) -> Run:
    @wraps(run)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = run(request, *args, **kwargs)
        if response.status_code != 200 or not isinstance(response, HttpResponse):  # noqa: PLR2004  OK
            return response
        etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
        response["ETag"] = etag
        response["Cache-Control"] = "private, no-cache"  # may be kept, but not shown without asking
        patch_vary_headers(response, ["Authorization", "Cookie"])
        conditional = cast(HttpResponse, get_conditional_response(request, etag=etag, response=response))
        if conditional is not response and "Retry-After" in response:
            conditional["Retry-After"] = response["Retry-After"]
        return conditional

    return answer
