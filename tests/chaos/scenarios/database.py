"""PostgreSQL is the ledger: it may go away for a moment, and take connections with it."""

import random
import time

from proj.jobs.ledger.statements import run
from tests.chaos import faults, judge
from tests.chaos.scenarios.scenario import Outcome, Play, scenario

_TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid = %s
"""
_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@scenario("C13 database lost while an outcome is stored: no second run", "outcome", short=True)
def lost_at_the_end(play: Play) -> Outcome:
    play.worker()
    play.beat()
    faults.arm(play.stage.folder, "finish", "cut", "C13")
    play.client("chain", "C13").wait()
    return play.judged("C13").but(play.runs("C13") == 3, f"{play.runs('C13')} runs of three")


@scenario("C13 random backends terminated under load", "outcome", "rescue")
def backends_terminated(play: Play) -> Outcome:
    for name in ("worker1", "worker2"):
        play.worker(name)
    play.beat()
    cases = [f"C13-{n}" for n in range(20)]
    for case in cases:
        faults.arm(
            play.stage.folder, "finish", "cut", case
        )  # at the worst moment, so that the control is sure to fail
        play.client("chain", case).wait()
    chance = random.Random(13)
    ends = time.monotonic() + (10 if play.long else 4)
    while time.monotonic() < ends and judge.open_cases():
        for (pid,) in chance.sample(found := run(_BACKENDS), min(2, len(found))):
            run(_TERMINATE, [pid])
        time.sleep(0.2)
    outcome = play.judged(*cases, since=time.monotonic())
    failed = run("SELECT count(*) FROM django_celery_results_taskresult WHERE status <> 'SUCCESS'")
    return outcome.but(failed == [(0,)], f"{failed[0][0]} outcomes that are no success")


@scenario("C13 a task changes its database connection while it works", "reassert")
def connection_changed(play: Play) -> Outcome:
    play.worker()
    play.beat()
    play.client("reconnecting", "C13").wait()
    outcome = play.judged("C13")
    play.stage.settle(play.patience)
    return outcome.but(play.runs("C13") == 1, f"{play.runs('C13')} runs")


@scenario("C13 links to the database cut under load, then refused for a while", "outcome")
def database_cut(play: Play) -> Outcome:
    for name in ("worker1", "worker2"):
        play.worker(name, through=["database"])
    play.beat(through=["database"])
    play.client("many", "C13").wait()
    faults.arm(play.stage.folder, "finish", "cut", "C13")
    for _ in range(3):
        play.stage.settle(0.5)
        play.stage.database.cut(refuse=True)
        time.sleep(1)
        play.stage.database.heal()
    return play.judged("C13", since=time.monotonic())
