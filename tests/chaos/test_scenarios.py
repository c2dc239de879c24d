"""Every scenario holds; and with the guard off that it is about, it does not."""

import sys
from collections.abc import Iterator

import pytest

from tests.chaos import report
from tests.chaos.conftest import LONG
from tests.chaos.scenarios import beats, broker, database, workers  # noqa: F401  each adds its scenarios
from tests.chaos.scenarios.scenario import SCENARIOS, Outcome, Play, Scenario
from tests.chaos.stage import Stage

PATIENCE, SHORT_PATIENCE = 60.0, 7.0  # seconds to wait for what will come, and for what will not
ROWS: list[tuple[object, ...]] = []


@pytest.fixture(scope="module", autouse=True)
def _table(request) -> Iterator[None]:
    yield
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        columns = ("scenario", "guards on", "recovered in s", "guards off", "verdict without them")
        sys.stdout.write("\n" + report.table("Scenarios", columns, ROWS) + "\n")


CASES = [
    pytest.param(scenario, id=scenario.name, marks=() if scenario.short else pytest.mark.long)
    for scenario in SCENARIOS
]


def perform(stage: Stage, scenario: Scenario, guards_off: tuple[str, ...]) -> Outcome:
    stage.clear()
    try:
        return scenario.act(Play(stage, guards_off, SHORT_PATIENCE if guards_off else PATIENCE, long=LONG))
    finally:
        stage.clear()


@pytest.mark.parametrize("scenario", CASES)
def test_it_holds_and_without_its_guard_it_does_not(stage, scenario):
    outcome = perform(stage, scenario, ())
    row = [
        scenario.name,
        "; ".join(outcome.problems) or "holds",
        outcome.seconds,
        ", ".join(scenario.guards),
        "-",
    ]
    ROWS.append(row)
    assert outcome.problems == []

    control = perform(stage, scenario, scenario.guards)
    row[-1] = "; ".join(control.problems)[:60] or "HOLDS: proves nothing"
    assert control.problems != []
