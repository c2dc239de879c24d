from io import StringIO

import pytest
from rich.console import Console

from proj.demo.reckoning import Check
from proj.demo.report import Meter, percentile, print_ends, print_reckoning
from proj.demo.sample import SampleOrder
from proj.demo.shoppers import Watched

ORDER = SampleOrder("536365", {"85123A": 6}, express=False, payment_method="pm_card_visa")


def printed(print_it, *arguments) -> str:
    text = StringIO()
    print_it(Console(file=text, width=80), *arguments)
    return text.getvalue()


def ended(seconds: int, status: str = "completed") -> Watched:
    document = {
        "id": "1",
        "status": status,
        "placed_at": "2026-01-01T00:00:00Z",
        "updated_at": f"2026-01-01T00:00:{seconds:02}Z",
    }
    return Watched(None, ORDER, document)


@pytest.mark.parametrize(("percent", "expected"), [(50, 10), (95, 19), (100, 20)])
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(percent, expected):
    assert percentile(list(range(20, 0, -1)), percent) == expected


def test_ends_are_counted_with_throughput_and_waiting_times():
    orders = [ended(second) for second in range(1, 20)] + [ended(20, "payment_failed")]
    lines = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in printed(print_ends, orders, []).splitlines()
    ]
    assert ["orders", "20", "1.0", "10.00 s", "19.00 s"] in lines
    assert ["completed", "19", "", "", ""] in lines
    assert ["payment_failed", "1", "", "", ""] in lines
    assert ["photographs", "0", "-", "-", "-"] in lines


def test_a_check_that_does_not_agree_is_marked():
    text = printed(
        print_reckoning, [Check("pence", 100, 100), Check("charges", 1, 2), Check("wrong", [], ["22752"])]
    )
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines()]
    assert ["pence", "100", "100", "ok"] in lines
    assert ["charges", "1", "2", "wrong"] in lines
    assert ["wrong", "none", "22752", "wrong"] in lines


def test_where_there_is_no_terminal_progress_is_a_line_at_each_tenth():
    text = StringIO()
    with Meter(Console(file=text)) as meter:
        bar = meter.add("ended", 20)
        for _ in range(20):
            meter.advance(bar)
    assert text.getvalue().splitlines() == [f"ended: {number} of 20" for number in range(2, 21, 2)]
