"""The payment provider's own books, read as any of its merchants would: over HTTP, page by page."""

from typing import NamedTuple

from django.conf import settings

from proj.demo.client import TIMEOUT, connection

PAGE = 100  # the most that the provider gives at once


class Charge(NamedTuple):
    """Money that the provider took: ``amount`` in minor units."""

    reference: str
    amount: int
    currency: str


def captured_charges(url: str) -> list[Charge]:
    """Return every payment that the provider at ``url`` has captured."""
    found: list[Charge] = []
    page: dict[str, str | int] = {"limit": PAGE}
    while True:
        answer = connection().get(
            f"{url}/v1/payment_intents",
            params=page,
            headers={"Authorization": f"Bearer {settings.STRIPE_API_KEY}"},
            timeout=TIMEOUT,
        )
        answer.raise_for_status()
        body = answer.json()
        found += [
            Charge(intent["id"], intent["amount_received"], intent["currency"].upper())
            for intent in body["data"]
            if intent["status"] == "succeeded"
        ]
        if not body["has_more"]:
            return found
        page["starting_after"] = body["data"][-1]["id"]
