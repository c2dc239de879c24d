"""What keeps money from moving twice, and how each is switched off in a process: for the negative controls."""

import time
import uuid
from collections.abc import Callable
from typing import Any, Final

from orders import locks
from orders.models import Order
from orders.payments import receiving, stripe
from orders.payments.models import PaymentAttempt
from tests.chaos import guards

#: Seconds in which somebody else does the same, where nobody is kept out.
GAP = 0.3


def _one_key() -> None:
    """Whoever asks again asks with a new key, as one does who has forgotten the first."""
    for name in ("charge", "refund"):
        ask = getattr(stripe.StripeGateway, name)

        def ask_anew(self: Any, *, key: str, ask: Any = ask, **arguments: Any) -> Any:
            return ask(self, key=f"{key}-{uuid.uuid4()}", **arguments)

        setattr(stripe.StripeGateway, name, ask_anew)


def _one_event() -> None:
    """Whatever comes is new."""
    store = receiving._store

    def store_anew(event: Any) -> bool:
        object.__setattr__(event, "id", f"{event.id}-{uuid.uuid4()}")
        return store(event)

    receiving._store = store_anew


def _refund_cap() -> None:
    """Nobody looks what is left; the database, whose constraint the test takes away, neither."""
    PaymentAttempt.refundable = property(lambda attempt: attempt.amount)  # type: ignore[assignment,method-assign]


def _settle_under_lock() -> None:
    """Read what is so, think, and write: without keeping others out meanwhile."""

    def lock_order(order_id: int) -> Order:
        order = Order.objects.get(pk=order_id)
        time.sleep(GAP)
        return order

    locks.lock_order = lock_order


GUARDS: Final[dict[str, Callable[[], None]]] = {
    "one key": _one_key,
    "one event": _one_event,
    "refund cap": _refund_cap,
    "settle under lock": _settle_under_lock,
}
guards.GUARDS.update(GUARDS)
