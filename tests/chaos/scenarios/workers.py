"""Workers die, freeze, come back, and are replaced while they work."""

import random
import signal
import time

from proj.jobs.ledger.statements import run
from tests.chaos import faults
from tests.chaos.scenarios.scenario import Outcome, Play, scenario
from tests.waiting import eventually


@scenario("C6 every worker killed with 50 tasks in hand and waiting", "rescue", short=True)
def all_killed(play: Play) -> Outcome:
    workers = [play.worker(name, concurrency=4) for name in ("worker1", "worker2")]
    play.beat()
    play.client("many", "C6").wait()
    eventually(lambda: play.runs("C6") >= 10)
    for worker in workers:
        worker.kill()
    began = time.monotonic()
    freed = "SELECT 1 WHERE NOT EXISTS (SELECT FROM jobs_job WHERE state = 'running')"
    rescued = _seconds_until(freed, play.patience)
    for worker in ("worker3", "worker4"):
        play.worker(worker, concurrency=4)
    outcome = play.judged("C6", since=began)
    return outcome._replace(seconds=rescued).but(
        rescued is not None and rescued < 5, f"rescued after {rescued} s"
    )


def _seconds_until(sql: str, patience: float) -> float | None:
    began = time.monotonic()
    while not run(sql):
        if time.monotonic() - began > patience:
            return None
        time.sleep(0.05)
    return time.monotonic() - began


@scenario("C7 process killed after its business was committed", "rescue")
def killed_after_business(play: Play) -> Outcome:
    play.worker()
    play.beat()
    faults.arm(play.stage.folder, "committed", "kill", "C7")
    play.client("chain", "C7").wait()
    eventually(lambda: play.runs("C7"))
    outcome = play.judged("C7")
    return outcome.but(play.runs("C7", "two") == 1, "the next step ran twice")


@scenario("C8 worker frozen past its deadline, then thawed: a zombie", "fence", short=True)
def zombie(play: Play) -> Outcome:
    frozen = play.worker("frozen", concurrency=1)
    play.beat()
    play.client("overdue", "C8").wait()
    eventually(lambda: play.runs("C8") == 1)
    frozen.send_to_group(signal.SIGSTOP)
    run("UPDATE jobs_job SET deadline = clock_timestamp() WHERE state = 'running'")
    began = time.monotonic()
    play.worker("fresh", concurrency=1)
    outcome = play.judged("C8", since=began)
    (play.stage.folder / "C8.go").touch()
    frozen.send_to_group(signal.SIGCONT)
    ends = lambda: len(play.stage.effects.read(kind="end", case="C8", name="one")) == 2  # noqa: E731
    eventually(ends, why="the zombie does not end")
    play.stage.settle(1, until=lambda: False)  # time for what it would do
    (play.stage.folder / "C8.go").unlink()
    results = run("SELECT result FROM django_celery_results_taskresult WHERE task_name = 'chaos.overdue'")
    return outcome.but(results == [('"second"',)], f"the outcome is {results}")


@scenario("C10 poison pill that kills its process", "losses", short=True)
def poison_for_a_process(play: Play) -> Outcome:
    return _poison(play, whole_worker=False)


@scenario("C10 poison pill that kills its whole worker", "losses")
def poison_for_a_worker(play: Play) -> Outcome:
    return _poison(play, whole_worker=True)


def _poison(play: Play, *, whole_worker: bool) -> Outcome:
    play.stage.keep(lambda: play.worker("worker", concurrency=1))
    play.beat()
    play.client("poison", "C10", {"whole_worker": whole_worker}).wait()
    others = "SELECT 1 WHERE (SELECT count(*) FROM chaos_business) = 10"
    began = time.monotonic()
    while not (run(others) and run("SELECT 1 FROM jobs_job WHERE state = 'dead'")):
        play.stage.revive()
        if time.monotonic() - began > max(play.patience, 15):
            break
        time.sleep(0.1)
    dead = run("SELECT error FROM jobs_job WHERE state = 'dead'")
    return (
        Outcome([], time.monotonic() - began)
        .but(len(dead) == 1 and "PoisonPill" in dead[0][0], f"buried: {dead}")
        .but(play.runs("C10", "one") == 3, f"{play.runs('C10', 'one')} runs of the pill")
        .but(bool(run(others)), "the others did not go on")
    )


@scenario("C15 task that an old worker does not know", "unknown")
def unknown_task(play: Play) -> Outcome:
    old = play.worker("old", unknown=["chaos.effect"])
    play.beat()
    play.client("chain", "C15").wait()
    eventually(lambda: old.says("unregistered task"), why="the old worker did not get it")
    play.stage.settle(1, until=lambda: False)
    old.kill()
    began = time.monotonic()
    play.worker("new")
    return play.judged("C15", since=began)


@scenario("C16 rolling restart of the workers, SIGTERM and too soon SIGKILL", "rescue", "lost")
def rolling_restart(play: Play) -> Outcome:
    return _replaced(play, "C16", signal.SIGTERM)


@scenario("C17 cold shutdown of the workers, SIGQUIT", "rescue", "lost")
def cold_shutdown(play: Play) -> Outcome:
    return _replaced(play, "C17", signal.SIGQUIT)


def _replaced(play: Play, case: str, number: signal.Signals) -> Outcome:
    workers = [play.worker(f"worker{n}") for n in range(2)]
    play.beat()
    play.client("many", case, {"count": 50, "seconds": 0.4}).wait()
    eventually(lambda: play.runs(case) >= 4)
    for n in range(2, 6 if play.long else 4):
        oldest = workers.pop(0)
        oldest.send(number)
        time.sleep(0.1)
        oldest.kill()
        began = time.monotonic()
        workers.append(play.worker(f"worker{n}"))
    return play.judged(case, since=began)


@scenario("C22 fan-in of many parts, every message twice, with kills", "one transaction", short=True)
def fan_in_with_kills(play: Play) -> Outcome:
    parts = 1000 if play.long else 100
    faults.arm(play.stage.folder, "finished", "kill", "C22")
    play.client("fan_in", "C22", {"count": parts}).wait()
    for key in play.stage.redis.keys("default*"):
        play.stage.redis.rpush(key, *play.stage.redis.lrange(key, 0, -1))
    workers = [play.worker(name, concurrency=2) for name in ("worker1", "worker2")]
    play.beat()
    chance = random.Random(22)
    for tenth in range(1, 5):
        eventually(lambda least=tenth * parts // 6: play.runs("C22") >= least, seconds=120)
        play.stage.kill_child(chance.choice(eventually(chance.choice(workers).children)))
    began = time.monotonic()
    play.stage.settle(120 if play.long and not play.guards_off else play.patience)
    done = run(
        "SELECT count(*), count(*) FILTER (WHERE name = 'body') FROM chaos_business WHERE case_name = 'C22'"
    )
    bodies = run("SELECT count(*) FROM django_celery_results_taskresult WHERE task_name = 'chaos.gather'")
    return (
        Outcome([], time.monotonic() - began)
        .but(done == [(parts + 1, 1)], f"done: {done}")
        .but(bodies == [(1,)], f"bodies: {bodies}")
        .but(play.runs("C22", "body") == 1, f"{play.runs('C22', 'body')} runs of the body")
        .but(not run("SELECT 1 FROM jobs_job") and not run("SELECT 1 FROM jobs_chord"), "rows are left over")
    )
