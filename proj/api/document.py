"""The OpenAPI document: what django-ninja finds out, and what holds for every operation."""

from copy import deepcopy
from http import HTTPStatus
from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from proj.api.describing import HEADERS, PROBLEM, header_refs, problem
from proj.api.problems import CONTENT_TYPE

_SAFE = {"get", "head", "options"}

#: Why any operation may be refused.
UNREADABLE = "bad_request: the body cannot be read."
UNAUTHENTICATED = "unauthenticated: neither a token nor a session, or one that is no longer good."
FORBIDDEN = "forbidden: the caller may not do this; or a session without its CSRF token (X-CSRFToken)."
INVALID = "invalid: a parameter or the body is not what this document says; errors says where."
TOO_MANY = "too_many_requests: wait as many seconds as Retry-After says."
UNEXPECTED = "internal_error: something went wrong on our side; to ask again may help."

_CODES = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    413: "too_large",
    422: "invalid",
    429: "too_many_requests",
    500: "internal_error",
    503: "unavailable",
}


class DocumentedApi(NinjaAPI):
    """An API whose document says of each operation how it may be refused, and by what names programs call it."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """The name of the function: short, and what client generators make methods of."""
        return str(operation.view_func.__name__)

    def get_openapi_schema(self, *args: Any, **kwargs: Any) -> OpenAPISchema:
        """Return the document. It is made anew each time, and may be changed."""
        document = super().get_openapi_schema(*args, **kwargs)
        schemas = document["components"]["schemas"]
        for path in document["paths"].values():
            for method, operation in path.items():
                path[method] = _complete(method, deepcopy(operation), schemas)
        components = document["components"]
        schemas["Problem"] = PROBLEM
        components["headers"] = HEADERS
        return document


def _complete(method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Add to an operation what may happen to any of its kind. What it says itself of a status is kept."""
    responses: dict[str, Any] = {str(status): answer for status, answer in operation["responses"].items()}
    for status, why in _common_refusals(method, operation).items():
        responses.setdefault(str(status), problem(why))
    for code, answer in responses.items():
        _complete_answer(int(code), answer)
        _show_page(answer, schemas)
    operation["responses"] = dict(sorted(responses.items()))
    return operation


def _common_refusals(method: str, operation: dict[str, Any]) -> dict[int, str]:
    common = {429: TOO_MANY, 500: UNEXPECTED}
    if "requestBody" in operation:
        common[400] = UNREADABLE
    if operation.get("security"):
        common[401] = UNAUTHENTICATED
        if method not in _SAFE:
            common[403] = FORBIDDEN
    if "requestBody" in operation or any(each["in"] != "header" for each in operation["parameters"]):
        common[422] = INVALID
    return common


def _complete_answer(status: int, answer: dict[str, Any]) -> None:
    names = ["RateLimit", "RateLimit-Policy"]
    names += ["Retry-After"] if status in {429, 503} else []
    answer["headers"] = {**header_refs(names), **answer.get("headers", {})}
    described = answer.get("content", {}).get(CONTENT_TYPE)
    if described is not None:
        described["example"] = _example(status, answer["description"])


def _show_page(answer: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Give the answer of a list an example: that of its items, once."""
    described = answer.get("content", {}).get("application/json", {})
    schema = schemas.get(described.get("schema", {}).get("$ref", "").rpartition("/")[2], {})
    if set(schema.get("properties", ())) == {"items", "next"}:
        item = schemas[schema["properties"]["items"]["items"]["$ref"].rpartition("/")[2]]
        described["example"] = {"items": item.get("examples", [])[:1], "next": "MTIz"}


def _example(status: int, why: str) -> dict[str, Any]:
    """Return what a refusal looks like; its code is the word before the colon, where the description has one."""
    code, _, detail = why.partition(": ")
    if not detail or " " in code:
        code, detail = _CODES[status], why
    example = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail[0].upper() + detail[1:],
        "instance": "/api/v1/...",
    }
    if code == "invalid":
        example["errors"] = [{"pointer": "/lines/0/quantity", "detail": "Input should be greater than 0"}]
    return example
