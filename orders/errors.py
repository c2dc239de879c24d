"""What can be wrong with what was asked of an order. Each error's text can be shown to the person who asked."""

from orders.states import Status


class OrderRefused(Exception):  # noqa: N818  what happened, as a sentence would say it
    """An order that cannot be placed as asked. Nothing has been stored.

    `code` is for programs and never changes; `detail` is a sentence for people.
    """

    code = "order_refused"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class EmptyOrder(OrderRefused):
    code = "empty_order"

    def __init__(self) -> None:
        super().__init__("An order needs at least one line.")


class TooManyLines(OrderRefused):
    code = "too_many_lines"

    def __init__(self, limit: int) -> None:
        super().__init__(f"An order may have at most {limit} lines.")


class InvalidQuantity(OrderRefused):
    code = "invalid_quantity"

    def __init__(self, sku: str, limit: int) -> None:
        super().__init__(f"The quantity of {sku} must be from 1 to {limit}.")
        self.sku = sku


class UnknownProduct(OrderRefused):
    """No such product, or one that is no longer sold."""

    code = "unknown_product"

    def __init__(self, sku: str) -> None:
        super().__init__(f"There is no product {sku} on sale.")
        self.sku = sku


class MixedCurrencies(OrderRefused):
    code = "mixed_currencies"

    def __init__(self) -> None:
        super().__init__("All products of an order must be priced in the same currency.")


class AmountTooLarge(OrderRefused):
    code = "amount_too_large"

    def __init__(self) -> None:
        super().__init__("The order's total is more than one payment can take.")


class InvalidPaymentMethod(OrderRefused):
    code = "invalid_payment_method"

    def __init__(self) -> None:
        super().__init__("This is not a payment method.")


class InvalidIdempotencyKey(OrderRefused):
    code = "invalid_idempotency_key"

    def __init__(self) -> None:
        super().__init__("An idempotency key has 1 to 255 printable ASCII characters.")


class IdempotencyMismatch(OrderRefused):
    code = "idempotency_mismatch"

    def __init__(self) -> None:
        super().__init__("This idempotency key was used for a different order.")


class TooLate(Exception):  # noqa: N818
    """The order can no longer be cancelled."""

    code = "too_late"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class RefundRefused(Exception):  # noqa: N818
    """Money that cannot be given back as asked. Nothing has been stored. `code` is for programs, `detail` for people."""

    code = "refund_refused"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NothingToRefund(RefundRefused):
    code = "nothing_to_refund"

    def __init__(self) -> None:
        super().__init__("Nothing was paid for this order, or all of it has been given back.")


class RefundTooLarge(RefundRefused):
    code = "refund_too_large"

    def __init__(self, most: str) -> None:
        super().__init__(f"No more than {most} can be given back.")


class RefundInexact(RefundRefused):
    """Less than one minor unit, or a sum that the provider cannot move exactly."""

    code = "refund_inexact"


class RefundOutdated(RefundRefused):
    code = "refund_outdated"

    def __init__(self) -> None:
        super().__init__(
            "Another refund of this order was asked for in the meantime. See what is left, then ask again."
        )


class NotStuck(Exception):  # noqa: N818
    """There is nothing to set going again. `detail` says why, for people."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class IllegalTransition(Exception):  # noqa: N818
    """A step in a life that orders do not have: a mistake in the code, never in the request."""

    def __init__(self, order_id: int, from_status: Status, to_status: Status) -> None:
        super().__init__(f"order {order_id} cannot go from {from_status} to {to_status}")
        self.from_status = from_status
        self.to_status = to_status


class StockTooLow(Exception):  # noqa: N818
    """The stock on hand cannot be less than what live orders have reserved."""

    def __init__(self, sku: str, reserved: int) -> None:
        super().__init__(f"{reserved} of {sku} are reserved for orders: there cannot be fewer on hand.")
        self.sku = sku
        self.reserved = reserved
