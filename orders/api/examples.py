"""What requests and answers look like, for the OpenAPI document."""

from typing import Any

AT = "2026-03-10T12:00:00.120Z"
PRODUCT = {"sku": "85123A", "name": "White hanging heart", "amount": 255, "currency": "GBP", "available": 40}
ORDER_IN = {"lines": [{"sku": "85123A", "quantity": 3}], "express": False, "payment_method": "pm_card_visa"}
SUMMARY: dict[str, Any] = {
    "id": "6f1c2a52-8f0c-4b5e-9d0a-0c3f1f0f7a11",
    "status": "validated",
    "reason": "",
    "express": False,
    "amount": 765,
    "refunded": 0,
    "currency": "GBP",
    "placed_at": AT,
    "updated_at": AT,
}


def _step(name: str, state: str = "queued", attempt: int = 0, at: str | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "state": state,
        "attempt": attempt,
        "started_at": at,
        "finished_at": at,
        "error": None,
    }


def _event(kind: str, before: str | None, after: str) -> dict[str, Any]:
    return {"kind": kind, "from_status": before, "to_status": after, "reason": None, "created_at": AT}


ORDER = {
    **SUMMARY,
    "waiting": "",
    "lines": [{"sku": "85123A", "name": "White hanging heart", "quantity": 3, "amount": 255}],
    "steps": [
        _step("validate", "succeeded", 1, AT),
        *map(_step, ("reserve_stock", "charge", "fulfil", "notify_customer", "record_sale")),
    ],
    "events": [_event("placed", None, "placed"), _event("validated", "placed", "validated")],
    "refunds": [],
}
