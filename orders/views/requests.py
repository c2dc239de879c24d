"""Requests as the pages see them: with htmx beside them, and with somebody signed in."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails


class Request(HttpRequest):
    """What every view gets: the HtmxMiddleware adds `htmx`."""

    htmx: HtmxDetails


class SignedInRequest(Request):
    """What a view gets behind `login_required`."""

    user: User


def safe_path(path: str, default: str) -> str:
    """Return a path that a form sent along if it leads nowhere but here, else the default."""
    return (
        path if path.startswith("/") and url_has_allowed_host_and_scheme(path, None) else resolve_url(default)
    )


def go(request: Request, to: str, **query: Any) -> HttpResponse:
    """Send the browser to another page: by a redirect, or by htmx's header when only a fragment was asked for."""
    url = resolve_url(to) + (f"?{urlencode(query, safe='/')}" if query else "")
    return HttpResponseClientRedirect(url) if request.htmx else HttpResponseRedirect(url)


def go_sign_in(request: Request, back: str) -> HttpResponse:
    """Ask somebody to sign in, and bring them back to where they were."""
    return go(request, str(settings.LOGIN_URL), next=back)
