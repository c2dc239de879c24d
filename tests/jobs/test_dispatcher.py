"""The dispatcher: what it rings for, what it leaves alone, and what it does for jobs whose workers are gone."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from celery import current_app
from django.db import connection
from django.utils import timezone

from proj.jobs import bell, ledger
from proj.jobs.broker import Next
from proj.jobs.dispatcher import Dispatcher
from proj.jobs.models import Job
from tests.jobs.broker import dispatched, lose, owe, rung

pytestmark = pytest.mark.django_db(transaction=True)


# --- due, and never rung ----------------------------------------------------------------------------------------------


def test_a_job_is_rung_when_its_time_has_come_and_once(dispatcher, redis):
    job_id = dispatched.apply_async(countdown=3600).id
    dispatcher.tick()
    assert rung(redis) == {}

    Job.objects.update(available_at=timezone.now())
    for _ in range(4):
        dispatcher.tick()

    assert rung(redis) == {job_id: 1}


def test_a_job_that_was_never_rung_is_rung(dispatcher, redis):
    [job_id] = owe(1)
    lose(redis)
    Job.objects.update(published_at=None)

    dispatcher.tick()

    assert rung(redis) == {job_id: 1}


def test_two_dispatchers_share_the_work(waiting, redis):
    ids = owe(600)
    lose(redis)
    Job.objects.update(published_at=None)
    counts: list[int] = []

    def ring() -> None:
        dispatcher = Dispatcher(current_app._get_current_object())
        counts.extend(dispatcher.ring_due() for _ in range(3))
        connection.close()

    threads = [threading.Thread(target=ring) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sum(counts) == 600
    assert rung(redis) == dict.fromkeys(ids, 1)


# --- lost -------------------------------------------------------------------------------------------------------------


def test_a_broker_that_was_wiped_is_rung_for_everything_at_the_second_look(dispatcher, redis):
    ids = owe(50)
    dispatcher.tick()
    lose(redis)

    dispatcher.tick()
    assert rung(redis) == {}
    dispatcher.tick()
    assert rung(redis) == dict.fromkeys(ids, 1)

    dispatcher.tick()
    dispatcher.tick()
    assert rung(redis) == dict.fromkeys(ids, 1)


@pytest.mark.parametrize("place", [0, 100, 300])
def test_of_a_backlog_only_what_was_lost_is_rung_again(dispatcher, redis, place):
    ids = owe(301)
    lose(redis, ids[place])

    for _ in range(4):
        dispatcher.tick()

    assert rung(redis) == dict.fromkeys(ids, 1)


def test_without_a_look_at_the_messages_the_wrong_ones_would_be_rung_again(dispatcher, redis, monkeypatch):
    monkeypatch.setattr(dispatcher.broker, "next", lambda *_: Next(set(), all=False))
    ids = owe(301)
    lose(redis, ids[300])

    for _ in range(4):
        dispatcher.tick()

    assert rung(redis)[ids[0]] == 2


def test_of_a_long_backlog_what_was_lost_is_rung_again_when_the_queue_has_come_to_it(dispatcher, redis):
    ids = owe(1400)
    lose(redis, ids[1200])
    for _ in range(3):
        dispatcher.tick()
    left = ids[1000:]

    lose(redis, *ids[:1000])
    Job.objects.exclude(pk__in=left).delete()
    for _ in range(3):
        dispatcher.tick()

    assert rung(redis) == dict.fromkeys(left, 1)


def test_an_honest_backlog_rings_nothing_twice(dispatcher, redis):
    ids = owe(1500)

    for _ in range(5):
        dispatcher.tick()

    assert rung(redis) == dict.fromkeys(ids, 1)


def test_a_backlog_that_grows_while_it_is_looked_at_rings_nothing_twice(dispatcher, redis):
    """Between its commit and its message every job looks lost; there is always one."""
    owe(200)
    over = threading.Event()

    def keep_enqueueing() -> None:
        while not over.is_set():
            dispatched.delay(0)
        connection.close()

    threads = [threading.Thread(target=keep_enqueueing) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(40):
            dispatcher.tick()
    finally:
        over.set()
        for thread in threads:
            thread.join(30)

    assert max(rung(redis).values()) == 1


def test_a_message_in_the_hands_of_a_worker_is_lost_when_it_is_not_claimed_for_a_while(dispatcher, redis):
    [job_id] = owe(1)
    lose(redis)
    dispatcher.tick()
    assert rung(redis) == {}

    dispatcher.tick()
    assert rung(redis) == {job_id: 1}


def test_other_messages_in_the_hands_of_workers_at_each_look_are_not_lost(dispatcher, redis):
    ids = owe(20)
    for job_id in ids[:10]:
        lose(redis, job_id)
        dispatcher.tick()
        ledger.claim(job_id, task=dispatched.name, retries=0, worker="", seconds=60)

    assert rung(redis) == dict.fromkeys(ids[10:], 1)


@pytest.fixture
def broker_away() -> Iterator[Callable[[], None]]:
    """A broker that is not there; call the fixture's value to bring it back."""
    app = current_app._get_current_object()
    before = app.conf.broker_write_url
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    def turn(url: str) -> None:
        app.conf.broker_write_url = url
        app._pool = app.amqp._producer_pool = None
        bell._quiet_until = 0.0

    turn(f"redis://127.0.0.1:{port}/0")
    yield lambda: turn(before)
    turn(before)


def test_a_broker_that_is_away_is_logged_once_and_rung_for_when_it_is_back(
    waiting, broker_away, redis, caplog
):
    dispatcher = Dispatcher(current_app._get_current_object())
    job_id = dispatched.delay(1).id
    began = time.monotonic()
    for _ in range(3):
        dispatcher.tick()
        bell._quiet_until = 0.0  # the time in which it is left alone has passed
    assert time.monotonic() - began < 3  # the schedules wait for it
    assert [record.name for record in caplog.records if record.levelname == "WARNING"] == ["proj.jobs.bell"]

    broker_away()
    back = Dispatcher(current_app._get_current_object())
    back.tick()

    assert rung(redis) == {job_id: 1}
