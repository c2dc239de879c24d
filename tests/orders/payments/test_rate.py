import json
import multiprocessing
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from socket import create_server
from uuid import uuid4

import pytest

from orders.payments import rate
from proj import moving_window
from tests.orders.payments.questions import frozen

__all__ = ["frozen"]

PROJECT = Path(__file__).parents[3]

# What a process does: when it is told to, it takes as often as it can for two seconds, and prints when it was let through.
HAMMER = """
import json, sys, time, django
django.setup()
from orders.payments import rate
from proj import moving_window
what, per_second, times = sys.argv[1], int(sys.argv[2]), []
print("ready", flush=True)
sys.stdin.readline()
until = time.time() + 2
while time.time() < until:
    before = time.time()
    if rate.take(what, per_second=per_second) == 0:
        times.append((before, time.time()))
print(json.dumps(times))
"""


@pytest.fixture
def what() -> str:
    """Somebody with a rate of their own, whom nobody has called in the last second."""
    return f"nobody-{uuid4()}"


@pytest.fixture
def silent_redis(settings):
    """What accepts connections and never answers."""
    with closing(create_server(("127.0.0.1", 0))) as server:
        settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        yield server


def assert_held(times: list[tuple[float, float]], per_second: int) -> None:
    """Of any so many calls and one more, the first and the last are a second apart."""
    times.sort()
    for (earliest, _), (_, latest) in zip(times, times[per_second:], strict=False):
        assert latest - earliest >= 1


def test_so_many_calls_are_let_through_and_then_none(what, frozen):
    assert [rate.take(what, per_second=5) for _ in range(5)] == [0] * 5
    assert rate.take(what, per_second=5) == pytest.approx(1, abs=0.01)


def test_there_is_room_when_it_was_said_to_be(what):
    for _ in range(3):
        rate.take(what, per_second=3)
    room_at = time.monotonic() + rate.take(what, per_second=3)
    while rate.take(what, per_second=3) > 0:
        assert time.monotonic() < room_at + 0.5
    assert time.monotonic() >= room_at - 0.05


def test_everybody_has_a_rate_of_their_own(what, frozen):
    assert rate.take(what, per_second=1) == 0
    assert rate.take(f"{what}-2", per_second=1) == 0
    assert rate.take(what, per_second=1) > 0


def test_a_rate_that_is_changed_counts_the_calls_of_the_last_second(what, frozen):
    assert [rate.take(what, per_second=5) for _ in range(5)] == [0] * 5
    assert [rate.take(what, per_second=8) for _ in range(3)] == [0] * 3  # three more, not eight
    assert rate.take(what, per_second=8) > 0
    assert rate.take(what, per_second=2) > 0


def test_threads_together_keep_to_the_rate(what):
    until, times = time.time() + 2.5, []

    def hammer() -> None:
        while time.time() < until:
            before = time.time()
            if rate.take(what, per_second=20) == 0:
                times.append((before, time.time()))

    with ThreadPoolExecutor(8) as pool:
        for thread in [pool.submit(hammer) for _ in range(8)]:
            thread.result()
    assert 40 <= len(times) <= 60
    assert_held(times, 20)


def test_processes_together_keep_to_the_rate(what):
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "proj.settings"}
    command = [sys.executable, "-c", HAMMER, what, "30"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, cwd=PROJECT, env=environment, **pipes) for _ in range(3)]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 3
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    times = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    together = [tuple(call) for calls in times for call in calls]
    assert 60 <= len(together) <= 100
    assert_held(together, 30)


def test_a_forked_process_counts_with_its_parent(what, frozen):
    assert [rate.take(what, per_second=6) for _ in range(3)] == [0] * 3
    with multiprocessing.get_context("fork").Pool(1) as pool:
        in_child = [pool.apply(rate.take, (what,), {"per_second": 6}) for _ in range(3)]
        assert in_child == [0] * 3
        assert rate.take(what, per_second=6) > 0
        assert pool.apply(rate.take, (what,), {"per_second": 6}) > 0


def test_keys_are_under_the_prefix_of_the_installation(what, settings, frozen):
    rate.take(what, per_second=1)
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {**options, "global_keyprefix": f"other-{what}:"}
    assert rate.take(what, per_second=1) == 0  # another installation on the same Redis


def test_without_redis_every_call_is_let_through_and_the_log_says_so_once(what, settings, caplog):
    with closing(create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{port}/0"
    assert [rate.take(what, per_second=1) for _ in range(10)] == [0] * 10
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Redis is not to be had" in caplog.text


@pytest.mark.parametrize("url", ["sentinel://127.0.0.1:1", "amqp://127.0.0.1:1//", "redis+socket:///none"])
def test_a_broker_that_is_no_redis_of_its_own_limits_nothing(what, settings, caplog, url):
    settings.CELERY_BROKER_URL = url
    assert [rate.take(what, per_second=1) for _ in range(3)] == [0] * 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_redis_that_hangs_holds_nobody_for_longer_than_half_a_second(what, silent_redis):
    began = time.monotonic()
    assert rate.take(what, per_second=1) == 0
    assert time.monotonic() - began < 0.5


def test_a_redis_that_hangs_is_left_alone_for_a_while(what, silent_redis):
    rate.take(what, per_second=1)
    began = time.monotonic()
    assert [rate.take(what, per_second=1) for _ in range(100)] == [0] * 100
    assert time.monotonic() - began < 0.1


def test_the_rate_is_kept_again_when_redis_is_back(what, monkeypatch, settings, caplog, frozen):
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {
        **settings.CELERY_BROKER_TRANSPORT_OPTIONS,
        "global_keyprefix": f"{what}:",  # a counter of the test's own
    }
    counter = moving_window._counter(
        settings.CELERY_BROKER_URL, f"{what}:rate", "calls to the payment provider"
    )
    counter._note_absence(ConnectionError("away"))
    assert [rate.take(what, per_second=1) for _ in range(3)] == [0] * 3
    monkeypatch.setattr(counter, "_quiet_until", 0.0)
    assert rate.take(what, per_second=1) == 0
    assert rate.take(what, per_second=1) > 0
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


def test_a_rate_of_one_is_one_a_second(what):
    times, until = [], time.monotonic() + 2.5
    while time.monotonic() < until:
        before = time.time()
        if rate.take(what, per_second=1) == 0:
            times.append((before, time.time()))
    assert len(times) == 3
    assert all(later[1] - earlier[0] >= 1 for earlier, later in pairwise(times))
