"""The fault table, for a terminal and for the documents."""

from collections.abc import Sequence

from tests.chaos import report
from tests.orders.payments.faults.cases import Row

INTRODUCTION = """\
# Payment faults

Written by `CHAOS=long FAULT_TABLE=docs/payment-faults.md pytest tests/orders/payments/faults/test_every_fault.py`.

Each row is one order that comes to a step of its payment. The next request of the step meets the fault, and the process that
does the step is killed with SIGKILL at the point named, once. Then workers, beat's schedules and time go on until nothing is
left to do. *requests* counts what we asked the provider from the fault on; *seconds* is until the end, the waiting for retries
and schedules included (it is left out by making everything stored older, so what depends on chance is from one draw);
*charges* and *refunds* are those in the provider's own books. The verdict compares these, read from outside, with payments and
journal, and with orders and stock: *agree* is to the minor unit.

- *request lost*, *answer lost*: the connection ends before, or after, the provider has done what it was asked for.
- *500 before*, *500 after*: likewise with an answer; the second is kept for the key and given again each time, as Stripe does.
- *too slow*: the answer comes after our time-out. *409 in flight*: and we have asked again meanwhile.
- *killed -9*: the provider dies with the request in hand, and comes back with its books as they were on disk.
- *3 days late*: the seconds are until the order has ended, which needs no webhook.

"""
COLUMNS = (
    "step",
    "fault",
    "we are killed at",
    "requests",
    "outcome",
    "seconds",
    "charges",
    "refunds",
    "verdict",
)


def text(rows: Sequence[Row]) -> str:
    return report.table("Payment faults", COLUMNS, _cells(rows))


def markdown(rows: Sequence[Row]) -> str:
    """Return the whole document."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *_cells(rows)]
    return INTRODUCTION + "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def _cells(rows: Sequence[Row]) -> list[Sequence[object]]:
    return [
        (
            row.case.step,
            row.case.fault,
            row.case.crash,
            row.asked,
            row.outcome,
            f"{row.seconds:.1f}",
            row.charges,
            row.refunds,
            "; ".join(row.problems) or "agree",
        )
        for row in rows
    ]
