"""Cuts the retail sample from the whole data set: the rows of its first trading days, unchanged.

    python -m proj.demo.cut online_retail.csv.xz

The argument is "Online Retail" (see data/NOTICE) as one CSV file in UTF-8, in order of invoices, with the columns
InvoiceNo, StockCode, Description, Quantity, InvoiceDate (YYYY-MM-DD HH:MM:SS), UnitPrice, CustomerID, Country.
"""

import lzma
import sys
from pathlib import Path

DATA = Path(__file__).parent / "data"
UNTIL = "2010-12-07"  # five trading days: some 550 invoices, so that 300 good ones and every oddity are among them


def cut(source: Path, target: Path) -> int:
    """Copy the header and the rows dated before ``UNTIL`` from ``source`` to ``target``, both xz; return their number."""
    rows = 0
    with (
        lzma.open(source, "rt", encoding="utf-8", newline="") as whole,
        lzma.open(target, "wt", preset=9 | lzma.PRESET_EXTREME, encoding="utf-8", newline="") as sample,
    ):
        sample.write(whole.readline())
        for line in whole:
            if f",{UNTIL} " in line:  # the date of the invoice: no description holds one
                break
            sample.write(line)
            rows += 1
    return rows


if __name__ == "__main__":
    print(cut(Path(sys.argv[1]), DATA / "retail.csv.xz"), "rows")  # noqa: T201
