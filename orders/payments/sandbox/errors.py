"""Refusals in the shape of Stripe's error object."""

from typing import Any


class Refusal(Exception):  # noqa: N818  it is an answer, not a fault
    """The endpoint ran and said no: the answer is kept for the idempotency key, like any other answer.

    `fields` are those of Stripe's error object besides type, code and message (param, payment_intent, ...).
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"type": kind, "message": message, **fields}
        if code is not None:
            self.error["code"] = code
            self.error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"

    @property
    def body(self) -> dict[str, Any]:
        return {"error": self.error}


class InvalidRequest(Refusal):
    """The request was refused before anything ran: Stripe keeps no answer for its idempotency key."""

    def __init__(self, message: str, *, status: int = 400, **fields: Any) -> None:
        super().__init__(status, message, **fields)


def no_such(noun: str, reference: str, *, param: str, status: int = 404) -> InvalidRequest:
    return InvalidRequest(
        f"No such {noun}: '{reference}'", status=status, code="resource_missing", param=param
    )
