"""What is known about the money of an order, for pages, mails and the API. Computed from its rows, stored nowhere."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import prefetch_related_objects

from orders.models import Order
from orders.payments.models import OPEN, AttemptState, Refund, RefundState
from orders.payments.models.refund import OPEN_REFUNDS

#: What `read_balance` reads: two queries, for one order or, prefetched, for a page of them.
ROWS = "payment_attempts__refunds"


@dataclass(frozen=True, slots=True)
class Balance:
    """Amounts are in the order's currency's minor unit; refunds are in the order in which they were asked for."""

    currency: str
    captured: int  # what the provider has taken
    returned: int  # what has gone back of it
    returning: int  # what has been asked to go back, without an answer yet
    is_open: bool  # the provider was asked, and it is not known whether it has taken anything
    refunds: tuple[Refund, ...]

    @property
    def left(self) -> int:
        """What could still be given back."""
        return self.captured - self.returned - self.returning

    @property
    def is_uncharged(self) -> bool:
        """Nothing was taken, and that is known."""
        return not self.captured and not self.is_open

    @property
    def is_moving(self) -> bool:
        """There is an answer to come, about a payment or a refund."""
        return self.is_open or self.returning > 0

    @property
    def returned_at(self) -> datetime | None:
        """When money last went back."""
        return max((r.updated_at for r in self.refunds if r.state == RefundState.SUCCEEDED), default=None)


def read_balance(order: Order) -> Balance:
    """Return what is known about an order's money: two queries, or none if its `ROWS` were prefetched.

    They stay with this `order` in memory, so whoever has changed them reads the order again first.
    """
    prefetch_related_objects([order], ROWS)
    attempts = order.payment_attempts.all()
    refunds = sorted((refund for attempt in attempts for refund in attempt.refunds.all()), key=lambda r: r.pk)
    return Balance(
        currency=order.currency,
        captured=sum(attempt.amount for attempt in attempts if attempt.state == AttemptState.SUCCEEDED),
        returned=sum(refund.amount for refund in refunds if refund.state == RefundState.SUCCEEDED),
        returning=sum(refund.amount for refund in refunds if refund.state in OPEN_REFUNDS),
        is_open=any(attempt.state in OPEN for attempt in attempts),
        refunds=tuple(refunds),
    )
