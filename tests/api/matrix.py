"""Who gets what from every address: asked of the URLconf, so that an address that nobody thought of is asked too."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.core.signals import request_finished
from django.db import close_old_connections, transaction
from django.http import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, get_resolver

ROLES = ("anonymous", "other", "owner", "clerk", "staff", "superuser")

#: Addresses with a part that is no converter's, and what is put there.
PATTERNS: Mapping[str, str] = {
    r"^(?P<name>[0-9a-f]{2}/[0-9a-f]{32}-[0-9]{2,3})\.(?P<extension>webp|jpeg)$": f"00/{'0' * 32}-64.webp",
    r"^confirm-email/(?P<key>[-:\w]+)/$": "confirm-email/none/",
    r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": "password/reset/key/1-none/",
    r"(?P<url>.*)$": "nowhere/",
}
_APP_LIST = re.compile(r"\^\(\?P<app_label>([\w|]+)\)/\$$")
_PART = re.compile(r"<(?:\w+:)?(\w+)>")
_OF_MODEL = re.compile(r"admin/(\w+)/(\w+)/.*<(?:path:|int:)?(?:object_id|pk|id)>")


def routes() -> list[str]:
    """Return every route of the project, sorted; lists of apps in the admin one by one."""
    found = set(_walk(get_resolver().url_patterns, ""))
    return sorted(one for route in found for one in _one_by_one(route))


def _walk(patterns: Iterable[Any], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from _walk(pattern.url_patterns, route)


def _one_by_one(route: str) -> Sequence[str]:
    listed = _APP_LIST.search(route)
    return [f"admin/{label}/" for label in sorted(listed[1].split("|"))] if listed else [route]


def address(route: str, known: Mapping[str, object]) -> str:
    """Return a path that the route leads to: with what is known of the owner's things, by route or by name."""
    for pattern, path in PATTERNS.items():
        if route.endswith(pattern):
            return "/" + route.removesuffix(pattern) + path
    model = _OF_MODEL.match(route)
    if model:
        first = apps.get_model(model[1], model[2])._default_manager.order_by("pk").first()
        return "/" + _PART.sub(str(first.pk if first is not None else 0), route)
    begins = max((key for key in known if route.startswith(key)), key=len, default="")

    def part(match: re.Match[str]) -> str:
        return str(known.get(match[1], known.get(begins, 0)))

    return "/" + _PART.sub(part, route)


def methods(route: str) -> Sequence[str]:
    return ("GET", "POST", "DELETE") if route.startswith("api/v1/") else ("GET", "POST")


def session_of(user: User | None) -> str:
    """Sign somebody in; return the session's key, empty for nobody."""
    client = Client()
    if user is not None:
        client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value if user is not None else ""


def ask(method: str, path: str, session: str) -> str:
    """Return in a word what the owner of a session gets from a path. Whatever it does is undone."""
    client = Client()
    if session:
        client.cookies[settings.SESSION_COOKIE_NAME] = session
    with transaction.atomic():
        response = client.generic(method, path, content_type="application/x-www-form-urlencoded")
        word = _word(response)
        if response.streaming:  # the client itself closes what is not
            request_finished.disconnect(close_old_connections)
            response.close()
            request_finished.connect(close_old_connections)
        transaction.set_rollback(True)
    return word


def _word(response: HttpResponseBase) -> str:
    if response.status_code in {301, 302}:
        target = response["Location"]
        return "sign-in" if target.startswith((settings.LOGIN_URL, "/admin/login/")) else "moved"
    return str(response.status_code)


def line(method: str, route: str, words: Sequence[str]) -> str:
    cells = "".join(f"{word:<10}" for word in words)
    return f"{method:<7}{cells}/{route}".rstrip()
