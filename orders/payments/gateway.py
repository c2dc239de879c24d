"""What a payment provider can do for us, and the four ways in which it can fail to.

The ways differ in one thing: what is known about the money.
"""

from dataclasses import dataclass
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
    """

    def __init__(self, detail: str) -> None:
        super().__init__(
            "The payment provider has not answered yet. We will ask again; you will not pay twice."
        )
        self.detail = detail


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


@dataclass(frozen=True, slots=True)
class Charge:
    """Money that has been captured. `reference` is the provider's id for it."""

    reference: str


class PaymentGateway(Protocol):
    def charge(
        self, *, key: str, amount: int, currency: str, payment_method: str, metadata: dict[str, str]
    ) -> Charge:
        """Capture money from a card at once.

        Args:
            key: idempotency key. The same key with the same arguments, however often, captures once.
            amount: in the currency's minor unit.
            currency: ISO 4217, such as GBP.
            payment_method: the provider's reference to the shopper's card.
            metadata: kept with the payment at the provider, to find it again.

        Raises:
            Declined, Unknown, Unavailable, Misconfigured.
        """
        ...
