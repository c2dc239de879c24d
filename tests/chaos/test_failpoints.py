"""Every boundary of a job's life, and every way to be hit there: nothing is lost, nothing happens twice."""

import ast
import signal
import time
from pathlib import Path

import pytest

from proj.jobs import failpoints
from tests.chaos import faults, report
from tests.chaos.judge import Verdict
from tests.chaos.stage import Stage
from tests.workers.processes import PROJECT, eventually

#: One after the other: those that stall would keep the others waiting for a free process.
WAVES = (("kill", "raise", "cut"), ("stall",))
FAULTS = tuple(fault for wave in WAVES for fault in wave)
#: The flow that passes each point, by who passes it.
CLIENT = {"record": "single", "recorded": "single", "publish": "single", "published": "single"}
WORKER = {
    "claim": "single",
    "claimed": "single",
    "body": "single",
    "finish": "single",
    "next": "chain",
    "fan_in": "chord",
    "result": "chain",
    "finished": "single",
    "retry": "flaky",
    "bury": "refused",
}
#: Boundaries of the tests' own: between the commit of the task's business and the end of its body, and after all.
OWN = {"committed": "chain"}
BEAT = {"slot": "slot", "slot_enqueued": "slot", "rescue": "single", "rung": "single"}


def test_every_failpoint_has_a_case_and_is_passed_somewhere():
    called = set()
    for file in Path(PROJECT, "proj", "jobs").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "failpoint":
                called.add(node.args[0].value)

    assert called == set(failpoints.POINTS)
    assert set(CLIENT) | set(WORKER) | set(BEAT) == set(failpoints.POINTS)


@pytest.fixture(scope="module")
def verdicts(stage: Stage) -> dict[tuple[str, str], Verdict]:
    """Put one flow in for each point and fault, all at once, into one set of processes."""
    workers = [stage.worker(f"worker{n}", concurrency=4) for n in (1, 2)]
    beats = [stage.beat(f"beat{n}") for n in (1, 2)]
    cases = {(point, fault): f"{point}-{fault}" for point in (*CLIENT, *WORKER, *OWN) for fault in FAULTS}
    struck = lambda: not list((stage.folder / "armed").iterdir())  # noqa: E731
    for wave in WAVES:
        for (point, fault), case in cases.items():
            if fault in wave:
                faults.arm(stage.folder, point, fault, case)
                stage.client({**CLIENT, **WORKER, **OWN}[point], case)
        stage.settle(60, until=struck)
    yield {
        (point, fault): stage.verdict(case, may_die=fault == "raise" and point not in CLIENT)
        for (point, fault), case in cases.items()
    }
    for process in (*workers, *beats):
        process.kill()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", [*CLIENT, *WORKER, *OWN])
def test_a_job_survives(verdicts, stage, point, fault):
    verdict = verdicts[point, fault]

    assert not (stage.folder / "armed" / f"{point}~{fault}~{verdict.case}").exists()
    assert verdict.problems == []


def test_report(verdicts, capsys):
    rows = [
        (point, fault, v.recovered, v.runs, v.effects, v.duplicates, "; ".join(v.problems) or "kept")
        for (point, fault), v in verdicts.items()
    ]
    with capsys.disabled():
        print("\n" + report.table("Failpoints", report.COLUMNS, rows))
