"""The kinds of events that mean something to us. All others are stored and ignored."""

from typing import Any, Final

PAYMENT: Final = frozenset(
    {
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.canceled",
        "payment_intent.processing",
    }
)
REFUND: Final = frozenset({"refund.created", "refund.updated", "refund.failed", "charge.refund.updated"})
#: About a charge, which we do not know by its own name: what counts are the refunds of its payment.
CHARGE: Final = frozenset({"charge.refunded"})


def is_known(kind: str) -> bool:
    return kind in PAYMENT | REFUND | CHARGE


def object_of(payload: dict[str, Any]) -> str:
    """Return the provider's id of what an event is about; empty if it has none.

    Raises:
        KeyError, TypeError, AttributeError: it is not an event.
    """
    thing = payload["data"]["object"]
    return str(thing.get("payment_intent" if payload["type"] in CHARGE else "id") or "")
