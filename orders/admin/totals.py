"""What the orders of a list come to, currency by currency: of exactly those, in one query that has an end."""

from dataclasses import dataclass

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from orders.models import Order
from orders.money import format_money

#: Orders that are added up: among a million that takes some 0.1 s where all match. A condition that few meet is looked for
#: in the whole table, which takes up to a second, as it does for the list itself.
MOST_SUMMED = 100_000


@dataclass(frozen=True)
class Sum:
    """In one currency."""

    currency: str
    orders: int
    amount: int  # in the minor unit

    @property
    def money(self) -> str:
        return format_money(self.amount, self.currency)


@dataclass(frozen=True)
class Totals:
    """`sums` is empty when there are more orders than are added up: a part of a sum is no sum."""

    sums: list[Sum]
    orders: int
    is_more: bool

    @property
    def said(self) -> str:
        """How many orders there are, for people."""
        count = f"More than {self.orders:,}" if self.is_more else f"{self.orders:,}"
        return f"{count} order{'' if self.orders == 1 else 's'}"


def add_up(orders: "QuerySet[Order]", most: int = MOST_SUMMED) -> Totals:
    """Count and sum the orders of a list, up to `most` of them; one more is read, which says that there are more."""
    some = orders.order_by().values("currency", "amount")[: most + 1]
    try:
        sql, params = some.query.sql_with_params()
    except EmptyResultSet:  # Django knows without asking
        return Totals([], 0, is_more=False)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT currency, count(*), sum(amount) FROM ({sql}) AS listed GROUP BY currency ORDER BY currency",  # noqa: S608  Django's own SQL
            params,
        )
        sums = [Sum(currency, count, int(amount)) for currency, count, amount in cursor.fetchall()]
    count = sum(each.orders for each in sums)
    return Totals([], most, is_more=True) if count > most else Totals(sums, count, is_more=False)
