from datetime import date

from django.db import connection
from django.test.utils import CaptureQueriesContext

from reports.sales import DayTotal, daily_totals, with_empty_days


def test_each_day_is_summed_by_currency_in_order(sell):
    sell(date(2026, 1, 2), 500, items=2)
    sell(date(2026, 1, 2), 250, items=1)
    sell(date(2026, 1, 2), 999, currency="EUR", items=3)
    sell(date(2026, 1, 1), 100, items=4)

    assert list(daily_totals(date(2026, 1, 1), date(2026, 1, 31))) == [
        DayTotal(date(2026, 1, 1), "GBP", 1, 4, 100),
        DayTotal(date(2026, 1, 2), "EUR", 1, 3, 999),
        DayTotal(date(2026, 1, 2), "GBP", 2, 3, 750),
    ]


def test_days_outside_are_left_out_and_both_ends_are_in(sell):
    for day in (1, 2, 3, 4):
        sell(date(2026, 1, day), day)

    totals = daily_totals(date(2026, 1, 2), date(2026, 1, 3))

    assert [(total.day.day, total.amount) for total in totals] == [(2, 2), (3, 3)]


def test_the_database_sums_in_one_query_however_many_sales(sell):
    for _ in range(20):
        sell(date(2026, 1, 1))

    with CaptureQueriesContext(
        connection,
    ) as queries:
        totals = list(daily_totals(date(2026, 1, 1), date(2026, 1, 1)))

    assert totals == [DayTotal(date(2026, 1, 1), "GBP", 20, 20, 20_000)]
    assert len(queries) == 1


def test_days_without_sales_get_a_row_of_zeros():
    sold = DayTotal(date(2026, 1, 2), "GBP", 1, 1, 100)
    more = DayTotal(date(2026, 1, 2), "USD", 1, 1, 100)

    assert list(with_empty_days([sold, more], date(2026, 1, 1), date(2026, 1, 4))) == [
        DayTotal(date(2026, 1, 1), "", 0, 0, 0),
        sold,
        more,
        DayTotal(date(2026, 1, 3), "", 0, 0, 0),
        DayTotal(date(2026, 1, 4), "", 0, 0, 0),
    ]
