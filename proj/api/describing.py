"""What decorators of operations add to the OpenAPI document, next to what django-ninja finds out by itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ninja.operation import Operation
from pydantic import ConfigDict

from proj.api.problems import CONTENT_TYPE

#: What every refusal looks like (RFC 9457). Its place in the document: `proj.api.document`.
PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "instance"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "For programs; it never changes."},
        "detail": {"type": "string", "description": "A sentence for people."},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "Where in the request, for a 422.",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}

#: Headers of answers, by name; `proj.api.document` says once what each is.
HEADERS: dict[str, dict[str, Any]] = {
    "ETag": {"description": "Changes when the answer does.", "schema": {"type": "string"}},
    "Location": {
        "description": "Where to follow what was accepted.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Retry-After": {
        "description": "Seconds after which to ask again.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Idempotent-Replayed": {
        "description": "There if this is the answer that the first request with the key had.",
        "schema": {"type": "string", "const": "true"},
    },
    "RateLimit": {
        "description": "Calls left (r), and seconds until the oldest of the counted ones counts no more (t).",
        "schema": {"type": "string"},
        "example": '"write";r=299;t=60',
    },
    "RateLimit-Policy": {
        "description": "Calls (q) that are allowed within any so many seconds (w).",
        "schema": {"type": "string"},
        "example": '"write";q=300;w=60',
    },
}


def shows(example: Any) -> ConfigDict:
    """Return the ``model_config`` of a schema that shows what it describes."""
    return ConfigDict(json_schema_extra={"examples": [example]})


def header_refs(names: Sequence[str]) -> dict[str, dict[str, str]]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def refused(reasons: Mapping[int, str]) -> dict[str, Any]:
    """Return an operation's ``openapi_extra``: by status code, why it may be refused."""
    return {"responses": {status: problem(why) for status, why in reasons.items()}}


def problem(why: str) -> dict[str, Any]:
    """Return the description of a refusal."""
    return {
        "description": why,
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def describe(
    *,
    parameters: Sequence[dict[str, Any]] = (),
    responses: Mapping[int, dict[str, Any]] | None = None,
    headers: Mapping[tuple[int, ...], Sequence[str]] | None = None,
) -> Callable[[Operation], None]:
    """Return a callback that adds to what the document says of an operation.

    Args:
        parameters: further parameters.
        responses: further responses by status; what the operation itself says of one is kept.
        headers: by the statuses whose answers have them, names of ``HEADERS``.
    """

    def add(operation: Operation) -> None:
        extra = operation.openapi_extra = {**(operation.openapi_extra or {})}
        extra["parameters"] = [*extra.get("parameters", ()), *parameters]
        described = extra["responses"] = {**(responses or {}), **extra.get("responses", {})}
        for statuses, names in (headers or {}).items():
            for status in statuses:
                answer = described.get(status, {})
                described[status] = {**answer, "headers": {**answer.get("headers", {}), **header_refs(names)}}

    return add
