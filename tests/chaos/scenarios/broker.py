"""Redis is the bell: it may lose, repeat and refuse whatever it likes."""

import os
import shutil
import signal
import time

from redis import RedisError

from tests.chaos import faults
from tests.chaos.scenarios.scenario import Outcome, Play, scenario
from tests.waiting import eventually


@scenario("C1 web killed between commit and publish", "lost", short=True)
def killed_before_publishing(play: Play) -> Outcome:
    play.beat()
    play.worker()
    faults.arm(play.stage.folder, "publish", "kill", "C1")
    play.client("chain", "C1").wait()
    return play.judged("C1")


@scenario("C2 dispatcher killed between marking and publishing", "lost")
def dispatcher_killed(play: Play) -> Outcome:
    for name in ("beat1", "beat2"):
        play.beat(name)
    play.worker()
    faults.arm(play.stage.folder, "rung", "kill")
    play.client("later", "C2").wait()
    eventually(play.stage.is_disarmed, why="nobody passed by")
    return play.judged("C2", since=play.stage.effects.read(kind="fault")[-1]["at"])


@scenario("C3 reply to LPUSH lost: two messages", "claim", short=True)
def reply_lost(play: Play) -> Outcome:
    play.stage.broker.lose_reply_of(b"LPUSH")
    play.client("single", "C3", through=["broker"]).wait()
    messages = sum(play.stage.redis.llen(key) for key in play.stage.redis.keys("default*"))
    play.worker()
    play.beat()
    outcome = play.judged("C3")
    play.stage.settle(1.5, until=lambda: False)  # until the second message, too, is done with
    runs = play.runs("C3")
    return outcome.but(messages == 2, f"{messages} messages").but(runs == 1, f"{runs} runs")


@scenario("C4 link half-open while a worker waits for messages", "lost")
def half_open(play: Play) -> Outcome:
    play.worker("deaf", concurrency=1, through=["broker"])
    play.worker("hearing", concurrency=1)
    play.beat()
    play.stage.broker.half_open()
    began = time.monotonic()
    play.client("many", "C4", {"count": 50, "seconds": 0.02}).wait()
    return play.judged("C4", since=began)


@scenario("C5 worker killed between taking a message and noting that it has", "lost")
def killed_with_message(play: Play) -> Outcome:
    play.beat()
    play.stage.keep(play.worker)
    faults.arm(play.stage.folder, "deliver", "kill-group")
    play.client("single", "C5").wait()
    eventually(play.stage.is_disarmed)
    return play.judged("C5", since=play.stage.effects.read(kind="fault")[-1]["at"])


@scenario("C9 task longer than the visibility time-out, where there is one", "claim")
def longer_than_visible(play: Play) -> Outcome:
    transport = {"ack_emulation": True, "visibility_timeout": 1, "unacked_restore_interval": 0.5}
    for name in ("worker1", "worker2"):
        play.worker(name, transport=transport)
    play.beat()
    play.client("many", "C9", {"count": 1, "seconds": 5}).wait()
    play.stage.settle(play.patience)
    return Outcome([]).but(play.runs("C9") == 1, f"{play.runs('C9')} runs")


@scenario("C11 FLUSHALL under load", "lost", short=True)
def flushed(play: Play) -> Outcome:
    play.worker()
    play.beat()
    play.client("many", "C11").wait()
    play.stage.redis.flushall()
    return play.judged("C11", since=time.monotonic())


@scenario("C11 Redis killed, and started again without data", "lost")
def redis_killed(play: Play) -> Outcome:
    play.worker()
    play.beat()
    play.client("many", "C11").wait()
    stop_redis(play)
    began = time.monotonic()
    play.stage.redis_server.start()
    return play.judged("C11", since=began)


@scenario("C11 Redis down while the web enqueues", "due")
def redis_down(play: Play) -> Outcome:
    play.worker()
    play.beat()
    stop_redis(play)
    cases = [f"C11-{n}" for n in range(10)]
    play.stage.call("tests.chaos.flows:ask_one_by_one", {"cases": cases}, guards_off=play.guards_off).wait()
    play.stage.redis_server.start()
    began = time.monotonic()
    slowest = max((line["seconds"] for line in play.stage.effects.read(kind="answer")), default=99)
    return play.judged(*cases, since=began).but(slowest < 2, f"an answer took {slowest:.1f} s")


@scenario("C11 Redis a black hole while the web enqueues", "quiet")
def redis_silent(play: Play) -> Outcome:
    play.stage.broker.half_open(also_new=True)
    cases = [f"C11-{n}" for n in range(5)]
    play.stage.call(
        "tests.chaos.flows:ask_one_by_one", {"cases": cases}, guards_off=play.guards_off, through=["broker"]
    ).wait()
    play.worker()
    play.beat()
    waits = [line["seconds"] for line in play.stage.effects.read(kind="answer")]
    together = f"five answers took {sum(waits):.1f} s, the last {waits[-1]:.1f} s"
    return play.judged(*cases).but(waits[-1] < 0.5 and sum(waits) < 2.5, together)


@scenario("C12 Redis full, then emptied", "due", "lost")
def redis_full(play: Play) -> Outcome:
    return _refusing(play, "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0")


@scenario("C12 Redis a read-only replica, then promoted", "due", "lost")
def redis_read_only(play: Play) -> Outcome:
    return _refusing(play, "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE")


def _refusing(play: Play, spoil: str, repair: str) -> Outcome:
    play.beat()
    play.stage.redis.execute_command(*spoil.split())
    cases = [f"C12-{n}" for n in range(5)]
    play.stage.call(
        "tests.chaos.flows:ask_one_by_one", {"cases": cases, "at_once": True}, guards_off=play.guards_off
    ).wait()
    answers = len(play.stage.effects.read(kind="answer"))
    time.sleep(1.5)  # the dispatcher tries, too
    play.stage.redis.execute_command(*repair.split())
    began = time.monotonic()
    play.worker()
    return play.judged(*cases, since=began).but(answers == 5, f"{answers} of 5 answers")


def stop_redis(play: Play) -> None:
    """End Redis as a power cut would, and lose its disk."""
    try:
        os.kill(int(play.stage.redis.info("server")["process_id"]), signal.SIGKILL)
    except RedisError:
        return
    eventually(lambda: not play.stage.redis_server.is_running())
    shutil.rmtree(play.stage.redis_server.data)
