"""The one question that reports put to orders: what was sold, day by day."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import NamedTuple

from django.db.models import Count, Sum

from orders.models import Sale

# Rows per fetch from the server-side cursor; a row is about 100 bytes, so a fetch is 200 kB.
FETCH_ROWS = 2_000


class DayTotal(NamedTuple):
    """What was sold on one day in one currency; ``amount`` is in minor units."""

    day: date
    currency: str
    orders: int
    items: int
    amount: int


def daily_totals(first: date, last: date) -> Iterator[DayTotal]:
    """Sum the sales of each day from ``first`` to ``last``, both included, in order of day and currency.

    The database does the summing, and the rows are streamed. A day without sales yields nothing.
    """
    totals = (
        Sale.objects.filter(day__range=(first, last))
        .values("day", "currency")
        .annotate(order_count=Count("pk"), item_count=Sum("items"), total=Sum("amount"))
        .order_by("day", "currency")
        .values_list("day", "currency", "order_count", "item_count", "total")
    )
    for row in totals.iterator(chunk_size=FETCH_ROWS):
        yield DayTotal(*row)


def with_empty_days(totals: Iterable[DayTotal], first: date, last: date) -> Iterator[DayTotal]:
    """Add a row of zeros for each day on which nothing was sold."""
    day = first
    for total in totals:
        while day < total.day:
            yield DayTotal(day, "", 0, 0, 0)
            day += timedelta(days=1)
        yield total
        day = total.day + timedelta(days=1)
    while day <= last:
        yield DayTotal(day, "", 0, 0, 0)
        day += timedelta(days=1)
