"""How many queries a request takes, in a header that browsers know: Server-Timing."""

from collections.abc import Callable
from itertools import count
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponseBase

HEADER = "Server-Timing"


def tell_queries(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    def answer(request: HttpRequest) -> HttpResponseBase:
        queries = count()

        def run(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
            if "django_content_type" not in sql:  # Django remembers them for as long as the process lives
                next(queries)
            return execute(sql, *arguments)

        with connection.execute_wrapper(run):
            response = get_response(request)
        response[HEADER] = f'queries;desc="{next(queries)}"'
        return response

    return answer


def queries_of(headers: dict[str, str]) -> int:
    """Return how many queries an answer with these headers, named in small letters, took."""
    return int(headers[HEADER.lower()].partition('desc="')[2].rstrip('"'))
