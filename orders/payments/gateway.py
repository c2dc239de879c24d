"""What a payment provider can do for us, and the four ways in which it can fail to.

The ways differ in one thing: what is known about the money.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from proj.jobs.errors import Permanent, Transient


class Declined(Permanent):
    """The provider refused for good. Nothing was captured, and asking again would be answered the same.

    `code` is the provider's, for programs; the text is for the shopper.
    """

    def __init__(self, code: str, detail: str, provider_ref: str = "") -> None:
        super().__init__(detail)
        self.code, self.detail, self.provider_ref = code, detail, provider_ref


class Unknown(Transient):
    """No answer, or none that says what happened: the money may have been captured. Ask again with the same key.

    `detail`, here and below, is for staff; the text of the error is for the shopper, who follows the order's steps.
    `answered` says that the provider is well: it has answered, only not with an outcome. `spent` says that the key is of
    no more use: this is the answer that the provider keeps for it, whatever became of the money. Only looking tells.
    """

    def __init__(self, detail: str, *, answered: bool = False, spent: bool = False) -> None:
        super().__init__(
            "The payment provider has not answered yet. We will ask again; you will not pay twice."
        )
        self.detail, self.answered, self.spent = detail, answered, spent


class Unavailable(Transient):
    """Turned away before the provider looked at it. Nothing was captured. Ask again later."""

    def __init__(self, detail: str) -> None:
        super().__init__("The payment provider is busy. We will ask again.")
        self.detail = detail


class Misconfigured(Permanent):
    """Our key, our parameters or our code are wrong. This request captured nothing; people must look."""

    def __init__(self, detail: str) -> None:
        super().__init__("The payment could not be started. We are looking into it.")
        self.detail = detail


class PaymentStatus(StrEnum):
    """What the provider says of a payment, as far as it matters to us."""

    SUCCEEDED = "succeeded"  # captured
    FAILED = "failed"  # the last card was declined: nothing is captured, and nobody will try another one
    CANCELLED = "cancelled"  # can never be captured any more
    PENDING = "pending"  # may still be captured


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as the provider has it. `amount` and `refunded` are in our minor units, `currency` is ISO 4217."""

    reference: str
    status: PaymentStatus
    amount: int
    currency: str
    refunded: int = 0  # known only where the provider was asked for the payment by itself
    order: str = ""  # the public id of our order, from the metadata; empty if it has none
    created_at: datetime | None = None
    code: str = ""  # why it failed, for programs
    detail: str = ""  # why it failed, for the shopper


class RefundStatus(StrEnum):
    SUCCEEDED = "succeeded"  # on its way to the customer
    PENDING = "pending"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RefundReceipt:
    """A refund as the provider has it. `refund` is the primary key of ours, from the metadata; empty if it has none."""

    reference: str
    payment: str  # the provider's id of the payment that it gives back
    status: RefundStatus
    amount: int
    currency: str
    refund: str = ""
    created_at: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """What a webhook says, once its signature is verified: that something may have changed."""

    id: str
    kind: str
    object_ref: str  # the provider's id of the object that it is about; empty if it has none
    created_at: datetime
    payload: dict[str, object] = field(default_factory=dict)


class PaymentGateway(Protocol):
    """Every method may raise Unknown, Unavailable or Misconfigured. Money is in minor units, currencies ISO 4217."""

    def charge(
        self, *, key: str, amount: int, currency: str, payment_method: str, metadata: dict[str, str]
    ) -> Payment:
        """Capture money from a card at once.

        Args:
            key: idempotency key. The same key with the same arguments, however often, captures once.
            amount: in the currency's minor unit.
            currency: ISO 4217, such as GBP.
            payment_method: the provider's reference to the shopper's card.
            metadata: kept with the payment at the provider, to find it again.

        Returns:
            The payment, captured or pending.

        Raises:
            Declined, Unknown, Unavailable, Misconfigured.
        """
        ...

    def refund(
        self, *, key: str, payment: str, amount: int, currency: str, metadata: dict[str, str]
    ) -> RefundReceipt:
        """Give back money of a captured payment.

        Raises:
            Declined: it can never be given back (already refunded, disputed); Unknown, Unavailable, Misconfigured.
        """
        ...

    def cancel(self, reference: str) -> Payment:
        """See to it that a payment that is not captured never will be; return it as it is then, captured or not."""
        ...

    def retrieve(self, reference: str) -> Payment | None:
        """The payment with the provider's id, with what has been given back of it; None if there is none."""
        ...

    def retrieve_refund(self, reference: str) -> RefundReceipt | None:
        """The refund with the provider's id; None if there is none."""
        ...

    def payments(self, *, since: datetime, until: datetime | None = None) -> Iterator[Payment]:
        """Every payment made in a span of time, newest first, page after page as it is read."""
        ...

    def refunds(
        self, *, since: datetime | None = None, payment: str | None = None
    ) -> Iterator[RefundReceipt]:
        """Every refund made since a moment, or of one payment, newest first."""
        ...
