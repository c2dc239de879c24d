"""Rows to a file that people open in a spreadsheet, in constant memory."""

import csv
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TextIO

from orders.money import DECIMALS

Cell = str | int | Decimal

# A spreadsheet runs a cell that starts like this as a formula: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def in_major_units(amount: int, currency: str) -> Decimal:
    """Turn 1234 pence into 12.34 pounds, and leave 1234 yen as they are.

    Args:
        amount: minor units of the currency.
        currency: an ISO 4217 code; a code that is not known has hundredths.
    """
    return Decimal(amount).scaleb(-DECIMALS.get(currency, 2))


def defuse(cell: Cell) -> Cell:
    """Put an apostrophe before a text that a spreadsheet would run as a formula. Numbers stay numbers."""
    if isinstance(cell, str) and cell.startswith(FORMULA_STARTS):
        return f"'{cell}"
    return cell


def write_csv(out: TextIO, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> int:
    """Write a header and the rows as they come.

    Args:
        out: opened for text with ``newline=""``: the line ends are those of RFC 4180.
        header: one name per column.
        rows: any iterable; one row is held at a time.

    Returns:
        How many rows were written, the header not counted.
    """
    writer = csv.writer(out)
    writer.writerow(header)
    count = 0
    for row in rows:
        writer.writerow([defuse(cell) for cell in row])
        count += 1
    return count
