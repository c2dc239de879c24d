"""What a refusal looks like, for the OpenAPI document: every one is an RFC 9457 problem (`proj.api.problems`)."""

from typing import Any

from proj.api.problems import CONTENT_TYPE

PROBLEM: dict[str, Any] = {
    "title": "Problem",
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
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}

UNAUTHENTICATED = "Neither a token nor a session."
NOT_THERE = "There is no such order, or it is somebody else's."


def refused(reasons: dict[int, str]) -> dict[str, Any]:
    """Return an operation's `openapi_extra`: by status code, why it may be refused."""
    content = {CONTENT_TYPE: {"schema": PROBLEM}}
    described = {401: UNAUTHENTICATED, **reasons}
    return {
        "responses": {status: {"description": why, "content": content} for status, why in described.items()}
    }
