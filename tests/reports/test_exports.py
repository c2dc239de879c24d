import csv
import io
import tracemalloc
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.exports import defuse, in_major_units, write_csv


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        (1234, "GBP", "12.34"),
        (5, "EUR", "0.05"),
        (0, "USD", "0.00"),
        (1234, "JPY", "1234"),
        (1234, "KWD", "1.234"),
        (1234, "XXX", "12.34"),
    ],
)
def test_amounts_are_written_in_the_currencys_own_unit(amount, currency, expected):
    assert str(in_major_units(amount, currency)) == expected


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_a_text_that_a_spreadsheet_would_run_is_defused(text):
    assert defuse(text) == "'" + text


@pytest.mark.parametrize("cell", ["plain", "", "1=1", -5, Decimal("-1.50")])
def test_numbers_and_plain_text_stay_as_they_are(cell):
    assert defuse(cell) == cell


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=2, max_size=2)))
def test_what_is_written_reads_back_as_what_was_meant(rows):
    out = io.StringIO(newline="")

    assert write_csv(out, ["a", "b"], rows) == len(rows)

    out.seek(0)
    assert list(csv.reader(out)) == [["a", "b"], *([defuse(cell) for cell in row] for row in rows)]


def test_memory_does_not_grow_with_the_rows(tmp_path):
    def peak(count: int) -> int:
        with (tmp_path / "out.csv").open("w", newline="") as out:
            tracemalloc.start()
            write_csv(out, ["n"], ([n] for n in range(count)))
            _, highest = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        return highest

    peak(10)
    assert peak(100_000) < 2 * peak(1_000)
