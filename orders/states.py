"""The life of an order, as data.

    placed -> validated -> reserved -> charging -> paid -> fulfilled -> completed

Everything that may happen to an order's status is in `TRANSITIONS`; `Order.transition_to` is its only reader.
"""

from typing import Final

from django.db.models import TextChoices


class Status(TextChoices):
    PLACED = "placed"  # accepted and stored; nothing checked beyond the request itself
    VALIDATED = "validated"  # every product is still sold and the amounts add up
    RESERVED = "reserved"  # its stock is held: counted in `reserved`, not yet taken from `on_hand`
    CHARGING = (
        "charging"  # the provider may have been asked: what becomes of it is for the payment's outcome to say
    )
    PAID = "paid"  # the money is captured
    FULFILLED = "fulfilled"  # the goods have left the stock
    COMPLETED = "completed"  # the customer knows and the sale is in the books
    REJECTED = "rejected"  # a check failed
    OUT_OF_STOCK = "out_of_stock"  # at least one line could not be had; nothing is held
    PAYMENT_FAILED = "payment_failed"  # the provider declined; nothing is held
    CANCELLED = "cancelled"  # by the customer, by staff, or because a step failed for good; nothing is held
    REFUNDED = "refunded"  # all the money that was ever captured for it has been given back


class Step(TextChoices):
    """The background steps of an order, in the order in which they start."""

    VALIDATE = "validate"
    RESERVE_STOCK = "reserve_stock"
    CHARGE = "charge"
    FULFIL = "fulfil"
    NOTIFY_CUSTOMER = "notify_customer"
    RECORD_SALE = "record_sale"


class StepState(TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETRYING = "retrying"
    CANCELLED = "cancelled"  # the order ended before it was this step's turn


TRANSITIONS: Final[dict[Status, frozenset[Status]]] = {
    Status.PLACED: frozenset({Status.VALIDATED, Status.REJECTED, Status.CANCELLED}),
    Status.VALIDATED: frozenset({Status.RESERVED, Status.OUT_OF_STOCK, Status.CANCELLED}),
    Status.RESERVED: frozenset({Status.CHARGING, Status.CANCELLED}),
    Status.CHARGING: frozenset({Status.PAID, Status.PAYMENT_FAILED, Status.CANCELLED}),
    Status.PAID: frozenset({Status.FULFILLED, Status.CANCELLED}),
    Status.FULFILLED: frozenset({Status.COMPLETED}),
    Status.COMPLETED: frozenset({Status.REFUNDED}),
    Status.REJECTED: frozenset(),
    Status.OUT_OF_STOCK: frozenset(),
    # A payment that was thought to be over may still turn out to have been captured: it is given back.
    Status.PAYMENT_FAILED: frozenset({Status.REFUNDED}),
    Status.CANCELLED: frozenset({Status.REFUNDED}),
    Status.REFUNDED: frozenset(),
}

#: The order owes nobody anything. Money may still go back, which is the business of its refunds.
FINAL: Final = frozenset(
    {
        Status.COMPLETED,
        Status.REJECTED,
        Status.OUT_OF_STOCK,
        Status.PAYMENT_FAILED,
        Status.CANCELLED,
        Status.REFUNDED,
    }
)

#: An order in one of these still owes somebody something.
LIVE: Final = frozenset(TRANSITIONS) - FINAL

#: Up to here an order may be called off: its goods have not left. What was captured for it is given back.
CANCELLABLE: Final = frozenset(s for s, following in TRANSITIONS.items() if Status.CANCELLED in following)

#: An order in one of these counts in its products' `reserved`.
HOLDS_STOCK: Final = frozenset({Status.RESERVED, Status.CHARGING, Status.PAID})

#: Nothing can have been captured for an order in one of these: it may be given up without asking the provider.
UNCHARGED: Final = frozenset({Status.PLACED, Status.VALIDATED, Status.RESERVED})
