"""What goes in and out. Money is an integer in the currency's minor unit."""

from datetime import datetime
from typing import Any
from uuid import UUID

from ninja import Field, Schema
from pydantic import ConfigDict

from orders.api import examples
from orders.balance import read_balance
from orders.models import Order, OrderEvent, OrderStep
from orders.payments.models import Refund, RefundState
from orders.services.placing import MAX_LINES, MAX_QUANTITY
from orders.states import Status, StepState
from orders.waiting import why_it_waits
from proj.api.describing import shows
from proj.api.text import Text


class Strict(Schema):
    """A request: a misspelt field is refused, and a number is a number, neither text nor true."""

    model_config = ConfigDict(extra="forbid", strict=True)


class LineIn(Strict):
    sku: Text = Field(min_length=1, max_length=64)
    quantity: int = Field(ge=1, le=MAX_QUANTITY)


class OrderIn(Strict):
    model_config = shows(examples.ORDER_IN)

    lines: list[LineIn] = Field(min_length=1, max_length=MAX_LINES)
    express: bool = False
    payment_method: Text = Field("pm_card_visa", max_length=64, description="The provider's id of the card.")


class ProductOut(Schema):
    model_config = shows(examples.PRODUCT)

    sku: str
    name: str
    amount: int
    currency: str
    available: int


class ProductPage(Schema):
    items: list[ProductOut]
    next: str | None


class ProductFilter(Schema):
    q: Text = Field("", max_length=100, description="Part of a name or a sku.")
    cursor: Text | None = None
    limit: int = 50


class LineOut(Schema):
    sku: str
    name: str
    quantity: int
    amount: int = Field(description="Price of one, at the moment of ordering.")


class StepOut(Schema):
    name: str
    state: StepState
    attempt: int
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None

    @staticmethod
    def resolve_error(step: OrderStep) -> str | None:
        return step.error or None


class EventOut(Schema):
    kind: str
    from_status: Status | None
    to_status: Status
    reason: str | None
    created_at: datetime

    @staticmethod
    def resolve_from_status(event: OrderEvent) -> str | None:
        return event.from_status or None

    @staticmethod
    def resolve_reason(event: OrderEvent) -> Any:
        return event.detail.get("reason")


class RefundOut(Schema):
    amount: int
    state: RefundState = Field(
        description=(
            "requested: about to be sent to the provider; unknown: sent, and its answer is being looked up; succeeded: on "
            "its way to the customer; failed: refused, nothing has gone back."
        )
    )
    reason: str
    created_at: datetime


class OrderSummary(Schema):
    model_config = shows(examples.SUMMARY)

    id: UUID = Field(alias="public_id")
    status: Status
    reason: str = Field(description="Why it ended early; empty otherwise.")
    express: bool
    amount: int
    refunded: int = Field(description="What has gone back to the customer, of all refunds that succeeded.")
    currency: str
    placed_at: datetime
    updated_at: datetime

    @staticmethod
    def resolve_refunded(order: Order) -> int:
        return read_balance(order).returned


class OrderOut(OrderSummary):
    model_config = shows(examples.ORDER)

    waiting: str = Field(description="Why nothing happens to it at the moment; empty otherwise.")
    lines: list[LineOut]
    steps: list[StepOut]
    events: list[EventOut]
    refunds: list[RefundOut] = Field(description="In the order in which they were asked for.")

    @staticmethod
    def resolve_waiting(order: Order) -> str:
        return why_it_waits(order)

    @staticmethod
    def resolve_refunds(order: Order) -> list[Refund]:
        return list(read_balance(order).refunds)


class OrderPage(Schema):
    items: list[OrderSummary]
    next: str | None


class OrderFilter(Schema):
    status: Status | None = None
    cursor: str | None = None
    limit: int = 50
