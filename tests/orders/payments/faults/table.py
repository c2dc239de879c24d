"""The fault table, for a terminal and for the documents."""

from collections.abc import Sequence

from tests.chaos import report
from tests.orders.payments.faults.cases import Row

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
    """Return a table with the columns aligned, as it stands in a document."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *_cells(rows)]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


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
