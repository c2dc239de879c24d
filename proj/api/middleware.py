"""What holds for every answer under the API's address, also for those that are not the API's own."""

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from proj.api.problems import CONTENT_TYPE, Problem

ROOT = "/api/v1/"

_WORDS = {
    404: ("not_found", "There is no such address. GET /api/v1/openapi.json lists those that there are."),
    405: ("method_not_allowed", "This address does not know the method; Allow names those that it knows."),
    412: ("precondition_failed", "It is not what If-Match says any more."),
    413: ("too_large", "The body is larger than we take."),
}


def api_answers(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Make every error a problem document, and say how many calls are left."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if not request.path_info.startswith(ROOT):
            return response
        if response.status_code >= HTTPStatus.BAD_REQUEST and response.get("Content-Type") != CONTENT_TYPE:
            response = _problem(request, response)
        taken = getattr(request, "rate", None)
        for name, value in taken.headers.items() if taken is not None else ():
            response[name] = value
        return response

    return answer


def _problem(request: HttpRequest, response: HttpResponseBase) -> HttpResponse:
    phrase = HTTPStatus(response.status_code).phrase
    code, detail = _WORDS.get(response.status_code, (phrase.lower().replace(" ", "_"), f"{phrase}."))
    headers = {
        name: response[name] for name in ("Allow", "Retry-After", "WWW-Authenticate") if name in response
    }
    return Problem(response.status_code, code, detail, headers=headers).response(request)
