"""What somebody is told who has tried too often."""

from http import HTTPStatus

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from proj.accounts.rates import FAILED_WINDOW, WINDOW


def too_many(request: HttpRequest, seconds: int = WINDOW) -> HttpResponse:
    """Return the answer to one try too many: words, and ``Retry-After`` in seconds."""
    response = render(request, "429.html", {"minutes": seconds // 60}, status=HTTPStatus.TOO_MANY_REQUESTS)
    response["Retry-After"] = str(seconds)
    return response


def too_many_failures(request: HttpRequest) -> HttpResponse:
    """Return the answer to one wrong password or code too many."""
    return too_many(request, FAILED_WINDOW)


def is_too_many(error: ValidationError) -> bool:
    """Whether django-allauth refused a form because of a limit, and not because of what is in it."""
    return getattr(error, "code", "") in {"too_many_login_attempts", "rate_limited"}
