"""Errors as RFC 9457 problem details: one shape for every refusal of the API."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

CONTENT_TYPE = "application/problem+json"

logger = logging.getLogger(__name__)


class Problem(Exception):  # noqa: N818  the RFC's own word
    """Ends a request with a problem document.

    Args:
        status: the HTTP status code.
        code: a stable word for programs, such as ``"too_late"``.
        detail: one sentence for the person who reads it.
        headers: further response headers, such as ``Retry-After``.
        extra: further members of the document, such as ``errors=[{"pointer": ..., "detail": ...}]``.
    """

    def __init__(
        self, status: int, code: str, detail: str, *, headers: dict[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.extra = headers or {}, extra

    def response(self, request: HttpRequest) -> HttpResponse:
        """Return the document as a response to ``request``."""
        document = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "instance": request.path,
            **self.extra,
        }
        return JsonResponse(document, status=self.status, content_type=CONTENT_TYPE, headers=self.headers)


UNAUTHENTICATED = Problem(
    401,
    "unauthenticated",
    "Send a bearer token (make one on the page API tokens of your account) or sign in.",
    headers={"WWW-Authenticate": "Bearer"},
)


def install(api: NinjaAPI) -> None:
    """Make every error of ``api`` a problem document."""
    api.exception_handler(Problem)(lambda request, problem: problem.response(request))
    for kind, translate in _TRANSLATIONS.items():
        api.exception_handler(kind)(
            lambda request, error, translate=translate: translate(error).response(request)
        )


def _invalid(error: ValidationError) -> Problem:
    errors = [{"pointer": _pointer(item["loc"]), "detail": item["msg"]} for item in error.errors]
    return Problem(422, "invalid", "The request is not valid; errors says where.", errors=errors)


def _pointer(location: Sequence[str | int]) -> str:
    """Return a JSON pointer into the body, as refusals of the domain give it; elsewhere, where and what."""
    # In the body the second part is the name of our function's argument: nobody's business.
    parts = location[2:] if location[0] == "body" else location
    return "".join(f"/{part}" for part in parts)


def _http_error(error: HttpError) -> Problem:
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return Problem(error.status_code, code, str(error))


def _unexpected(error: Exception) -> Problem:
    logger.error("unexpected error in the API", exc_info=error)
    return Problem(500, "internal_error", "Something went wrong on our side. It has been logged.")


_TRANSLATIONS: dict[type[Exception], Any] = {
    ValidationError: _invalid,
    AuthenticationError: lambda _error: UNAUTHENTICATED,
    HttpError: _http_error,
    Http404: lambda _error: Problem(404, "not_found", "There is nothing here, or it is not yours."),
    PermissionDenied: lambda error: Problem(403, "forbidden", str(error) or "You may not do this."),
    Exception: _unexpected,
}
