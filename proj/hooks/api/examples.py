"""What requests and answers look like, for the OpenAPI document."""

import json
from typing import Any

AT = "2026-03-10T12:00:00.120Z"
TOMORROW = "2026-03-11T12:00:00.120Z"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="  # noqa: S105  nobody's
KEEP = {"end_old_now": False}
SINCE = {"since": AT}
ENDPOINT_IN = {
    "url": "https://example.com/hooks",
    "events": ["order.paid", "order.cancelled"],
    "description": "Till 3",
}
CHANGE = {"events": ["order.paid"], "enabled": True}
ENDPOINT = {
    **ENDPOINT_IN,
    "id": "2f6f2f0c-94f4-4d4c-8d25-5b1e2f1a8f10",
    "enabled": True,
    "disabled_because": "",
    "failing_since": None,
    "old_secret_until": None,
    "created_at": AT,
}
PAID = {"id": "6f1c2a52-8f0c-4b5e-9d0a-0c3f1f0f7a11", "status": "paid", "amount": 765, "currency": "GBP"}
EVENT_TYPE = {"name": "order.paid", "description": "The payment has arrived.", "example": PAID}
SUMMARY: dict[str, Any] = {
    "id": "msg_5d2b7a0c5f6c5a5f8f8e3f6a1d9c4b21",
    "type": "order.paid",
    "state": "pending",
    "created_at": AT,
    "next_attempt_at": AT,
    "error": None,
}
DELIVERY = {
    **SUMMARY,
    "body": json.dumps({"type": "order.paid", "timestamp": AT, "data": PAID}, separators=(",", ":")),
    "attempts": [
        {"started_at": AT, "finished_at": AT, "status": 503, "error": None, "answer": "Back in a minute."}
    ],
}
