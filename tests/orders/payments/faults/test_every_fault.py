"""Every fault x every step x every crash: charged once, given back once, and all three ledgers agree to the minor unit."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orders.payments.failpoints import POINTS
from tests.chaos.conftest import LONG
from tests.orders.payments.faults import table
from tests.orders.payments.faults.cases import Case, Row, all_cases, perform, short_cases
from tests.orders.payments.faults.steps import STEPS

CASES = list(all_cases() if LONG else short_cases())
ROWS: list[Row] = []


@pytest.fixture(scope="module", autouse=True)
def _table(request) -> Iterator[None]:
    """Print the table of what was performed; with FAULT_TABLE=FILE write it there, for the documents."""
    yield
    if path := os.environ.get("FAULT_TABLE"):
        Path(path).write_text(table.markdown(ROWS))
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        sys.stdout.write("\n" + table.text(ROWS) + "\n")


def test_every_point_at_which_we_may_die_is_a_case():
    assert {point for step in STEPS.values() for point in step.points} == set(POINTS)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_ends_well(world, case: Case):
    world.clear()
    row = perform(world, case)
    ROWS.append(row)

    assert row.problems == []
    assert row.charges == (row.outcome != "cancelled")
    assert row.refunds == (row.outcome == "refunded")
