"""The payment provider's own books, read as any of its merchants would: over HTTP, page by page."""

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from django.conf import settings

from proj.demo.client import TIMEOUT, connection

PAGE = 100  # the most that the provider gives at once


class Money(NamedTuple):
    """Money that the provider took, or gave back: ``amount`` in minor units."""

    reference: str
    amount: int
    currency: str


class ProvidersBooks(NamedTuple):
    """What the provider says: payments captured, refunds that did not fail, and webhooks it has not got rid of."""

    charges: list[Money]
    refunds: list[Money]
    events: list[str]
    undelivered: list[str]


def read_books(url: str) -> ProvidersBooks:
    """Return all that the provider at ``url`` has done."""
    events = list(_pages(f"{url}/v1/events"))
    return ProvidersBooks(
        charges=[
            Money(intent["id"], intent["amount_received"], intent["currency"].upper())
            for intent in _pages(f"{url}/v1/payment_intents")
            if intent["status"] == "succeeded"
        ],
        refunds=[
            Money(refund["id"], refund["amount"], refund["currency"].upper())
            for refund in _pages(f"{url}/v1/refunds")
            if refund["status"] != "failed"
        ],
        events=[event["id"] for event in events],
        undelivered=[event["type"] for event in events if event["pending_webhooks"]],
    )


def end_faults(url: str) -> dict[str, int]:
    """Let the provider be as it should from now on, and return how often which fault has struck."""
    return cast(dict[str, int], _call("DELETE", f"{url}/sandbox/faults")["struck"])


def _pages(url: str) -> Iterator[dict[str, Any]]:
    page: dict[str, str | int] = {"limit": PAGE}
    while True:
        body = _call("GET", url, page)
        yield from body["data"]
        if not body["has_more"]:
            return
        page["starting_after"] = body["data"][-1]["id"]


def _call(method: str, url: str, parameters: dict[str, str | int] | None = None) -> dict[str, Any]:
    key = {"Authorization": f"Bearer {settings.STRIPE_API_KEY}"}
    answer = connection().request(method, url, params=parameters, headers=key, timeout=TIMEOUT)
    answer.raise_for_status()
    return cast(dict[str, Any], answer.json())
