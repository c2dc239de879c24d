"""Every boundary of a job's life, and every way to be hit there: nothing is lost, nothing happens twice."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proj.jobs import failpoints
from tests.chaos import faults, report
from tests.chaos.judge import Verdict
from tests.chaos.scenarios.beats import check_slots, make_schedule
from tests.chaos.scenarios.scenario import Play
from tests.chaos.stage import Stage
from tests.workers.processes import PROJECT

#: The flow that passes each point, by who passes it: the process that asks,
CLIENT = {"record": "single", "recorded": "single", "publish": "single", "published": "single"}
#: the process of a worker's pool that runs the task,
CHILD = {
    "claim": "single",
    "claimed": "single",
    "committed": "chain",  # the task's own transaction: the tests' own point
    "body": "single",
    "finish": "single",
    "next": "chain",
    "fan_in": "chord",
    "result": "chain",
    "finished": "single",
    "retry": "flaky",
    "bury": "refused",
}
#: the worker's main process, which knows no database: both are the tests' own,
MAIN = {"deliver": "single", "ack": "single"}
#: and a beat.
BEAT = {"rung": "later", "rescue": "single", "slot": "ticks", "slot_enqueued": "ticks"}
FLOWS = {**CLIENT, **CHILD, **MAIN}

#: One after the other, with so many processes for each worker: those that stall would keep others waiting for a free
#: process. Those that end a whole worker have it to themselves: a job that loses its worker three times is to blame.
WAVES = (
    (4, [(point, fault) for point in (*CLIENT, *CHILD) for fault in ("kill", "raise", "cut")]),
    (4, [(point, "stall") for point in (*CLIENT, *CHILD, *MAIN)]),
    (1, [(point, "kill-group") for point in (*CHILD, *MAIN)] + [(point, "raise") for point in MAIN]),
)
CASES = [case for _, wave in WAVES for case in wave]
BEAT_FAULTS = ("kill", "raise", "cut", "stall")
BEAT_CASES = [(point, fault) for point in BEAT for fault in BEAT_FAULTS]


def test_every_failpoint_has_a_case_and_is_passed_somewhere():
    called = set()
    for file in Path(PROJECT, "proj", "jobs").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "failpoint":
                called.add(node.args[0].value)

    assert called == set(failpoints.POINTS)
    assert {*CLIENT, *CHILD, *BEAT} - {"committed"} == set(failpoints.POINTS)


@pytest.fixture(scope="module")
def verdicts(stage: Stage) -> Iterator[dict[tuple[str, str], Verdict]]:
    """Put one flow in for each case, a wave at a time, into one set of processes."""
    for concurrency, wave in WAVES:
        stage.end_processes()
        for name in ("worker1", "worker2", "worker3"):
            stage.keep(lambda name=name, of=concurrency: stage.worker(name, concurrency=of))
        for name in ("beat1", "beat2"):
            stage.keep(lambda name=name: stage.beat(name))
        for point, fault in wave:
            faults.arm(stage.folder, point, fault, f"{point}-{fault}")
            stage.client(FLOWS[point], f"{point}-{fault}")
        stage.settle(60, until=stage.is_disarmed)
    found = {
        (point, fault): stage.verdict(f"{point}-{fault}", may_die=fault == "raise" and point in CHILD)
        for point, fault in CASES
    }
    yield found | beats_hit(stage)
    stage.clear()


def beats_hit(stage: Stage) -> dict[tuple[str, str], Verdict]:
    """Hit beats at each of their points, while others of them work, and a schedule of every second runs."""
    stage.clear()
    stage.keep(lambda: stage.worker("worker"))
    for name in ("beat1", "beat2", "beat3"):
        stage.keep(lambda name=name: stage.beat(name))
    schedule = make_schedule("slots")
    for fault in BEAT_FAULTS:
        for point in BEAT:
            faults.arm(stage.folder, point, fault)
        faults.arm(
            stage.folder, "claimed", "kill", f"rescue-{fault}"
        )  # so that there is somebody to be rescued
        for point in ("rung", "rescue"):
            stage.client(BEAT[point], f"{point}-{fault}").wait()
        stage.settle(60, until=stage.is_disarmed)
    missed = check_slots(Play(stage, (), 10, long=False), schedule, least=5).problems
    found = {}
    for fault in BEAT_FAULTS:
        for point, flow in BEAT.items():
            [struck] = [line["at"] for line in stage.effects.read(kind="fault", point=point, fault=fault)]
            if flow == "ticks":
                ticks = [line["at"] for line in stage.effects.read(kind="tick") if line["at"] > struck]
                found[point, fault] = Verdict("slots", True, 0, 0, 0, 0, min(ticks) - struck, missed)
            else:
                found[point, fault] = stage.verdict(f"{point}-{fault}", since=struck)
    return found


@pytest.mark.parametrize(("point", "fault"), CASES + BEAT_CASES)
def test_a_job_survives(verdicts, stage, point, fault):
    verdict = verdicts[point, fault]

    assert not (stage.folder / "armed" / f"{point}~{fault}~{verdict.case}").exists()
    assert verdict.problems == []


def test_report(verdicts, capsys):
    rows = [
        (*case, v.recovered, v.runs, v.effects, v.duplicates, "; ".join(v.problems) or "kept")
        for case, v in verdicts.items()
    ]
    with capsys.disabled():
        sys.stdout.write("\n" + report.table("Failpoints", report.COLUMNS, rows) + "\n")
