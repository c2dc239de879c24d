"""The orders of a selection as rows of a file: one statement, so one moment, streamed in the order of their numbers."""

from collections.abc import Generator
from typing import Any

from django.db.models import QuerySet

from orders.models import Order
from orders.models.selecting import OrderSelection, with_money
from reports import exports
from reports.models import Report

HEADER = (
    "order",
    "public id",
    "placed at",
    "status",
    "customer",
    "e-mail",
    "express",
    "currency",
    "amount",
    "captured",
    "given back",
    "reason",
)
# Rows per fetch from the server-side cursor; a row is about 300 bytes, so a fetch is 600 kB.
FETCH_ROWS = 2_000


def orders_of(report: Report) -> "QuerySet[Order]":
    """Return the orders that a report is about, as they are when they are asked for."""
    return OrderSelection.read(report.selection).narrow(Order.objects.all())


def rows(report: Report) -> Generator[tuple[exports.Cell, ...], None, None]:
    """Stream the orders, amounts in major units."""
    with_sums: QuerySet[Any] = with_money(orders_of(report))  # the stubs do not see what is added
    orders = with_sums.order_by("pk").values_list(
        "pk",
        "public_id",
        "placed_at",
        "status",
        "customer__username",
        "customer__email",
        "express",
        "currency",
        "amount",
        "captured",
        "given_back",
        "reason",
    )
    for (
        number,
        public_id,
        placed_at,
        status,
        name,
        email,
        express,
        currency,
        *amounts,
        reason,
    ) in orders.iterator(chunk_size=FETCH_ROWS):
        money = (exports.in_major_units(amount or 0, currency) for amount in amounts)
        yield (
            number,
            str(public_id),
            placed_at.isoformat(timespec="seconds"),
            status,
            name,
            email,
            "yes" if express else "no",
            currency,
            *money,
            reason,
        )
