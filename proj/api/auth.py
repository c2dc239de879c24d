"""Who calls the API: a program with a bearer token, or a page with its session and CSRF token."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from ninja.security import HttpBearer, SessionAuth

from proj.api.models import Token


class BearerAuth(HttpBearer):
    """``Authorization: Bearer TOKEN``, as made by its owner on their page, or by ``manage.py create_token USER``."""

    def authenticate(self, request: HttpRequest, token: str) -> AbstractBaseUser | None:
        found = Token.find(token)
        if found is None:
            return None
        request.user = found.user
        return found.user


class PageAuth(SessionAuth):
    """The session of somebody who signed in with a browser; unsafe methods need the CSRF token."""

    def authenticate(self, request: HttpRequest, key: str | None) -> Any:
        return super().authenticate(request, key)


AUTH = [BearerAuth(), PageAuth()]
