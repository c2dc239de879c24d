"""The dispatcher: what it rings for, what it leaves alone, and what it does for jobs whose workers are gone."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import time_machine
from celery import current_app, shared_task
from celery.result import AsyncResult
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from redis import Redis

from proj.jobs import bell, ledger
from proj.jobs.dispatcher import Dispatcher
from proj.jobs.ledger.statements import run
from proj.jobs.models import Job, State

pytestmark = pytest.mark.django_db(transaction=True)


@shared_task(name="tests.dispatched", queue="default", soft_time_limit=20, time_limit=30)
def dispatched(number: int = 0) -> int:
    """Stands for work."""
    return number


@pytest.fixture(autouse=True)
def _awake(monkeypatch) -> None:
    """Nobody has found the broker away before this test."""
    monkeypatch.setattr(bell, "_quiet_until", 0.0)
    monkeypatch.setattr(bell, "_away", False)


@pytest.fixture
def dispatcher(waiting) -> Dispatcher:
    """A dispatcher, with the broker empty."""
    return Dispatcher(current_app._get_current_object())


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis.from_url(settings.CELERY_BROKER_URL) as client:
        yield client


def keys(queue: str = "default") -> list[str]:
    """Return the lists of Redis that hold a queue, one for each step of priority."""
    prefix = current_app.conf.broker_transport_options["global_keyprefix"]
    return [f"{prefix}{queue}", *(f"{prefix}{queue}:{step}" for step in (3, 6, 9))]


def rung(redis: Redis) -> Counter[str]:
    """Count the messages that wait by their job."""
    messages = [json.loads(message) for key in keys() for message in redis.lrange(key, 0, -1)]
    return Counter(message["headers"]["id"] for message in messages)


def lose(redis: Redis, *jobs: str) -> None:
    """Take messages out of the broker; all of them, if none are named."""
    for key in keys():
        for message in redis.lrange(key, 0, -1):
            if not jobs or json.loads(message)["headers"]["id"] in jobs:
                redis.lrem(key, 1, message)


def owe(count: int) -> list[str]:
    """Enqueue so many jobs in one transaction; return their ids."""
    with transaction.atomic():
        return [dispatched.delay(number).id for number in range(count)]


def claim_elsewhere(job_id: str, *, alive: threading.Event | None = None) -> None:
    """Claim a job on a connection of its own, which ends then, or when ``alive`` is set."""
    claimed = threading.Event()

    def work() -> None:
        ledger.claim(job_id, task="tests.dispatched", retries=0, worker="w1", seconds=30)
        claimed.set()
        if alive is not None:
            alive.wait(30)
        connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    assert claimed.wait(30)
    if alive is None:
        worker.join(30)
        wait_until_gone(Job.objects.get(pk=job_id).claimed_by)


def wait_until_gone(backend: int) -> None:
    """Wait until PostgreSQL has noticed that a connection is closed."""
    deadline, pause = time.monotonic() + 10, threading.Event()
    while run("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [backend]):
        assert time.monotonic() < deadline
        pause.wait(0.01)


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
    with current_app.connection_for_read() as broker:
        queue = next(queue for queue in settings.CELERY_TASK_QUEUES if queue.name == "default")
        message = queue(broker.default_channel).get()
        assert message is not None
        for _ in range(3):
            dispatcher.tick()
        assert rung(redis) == {}

        with time_machine.travel(time.time() + 6):
            dispatcher.tick()
            dispatcher.tick()
        assert rung(redis) == {job_id: 1}
        message.ack()


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


# --- orphans ----------------------------------------------------------------------------------------------------------


def test_a_job_whose_worker_is_gone_is_set_free_at_the_second_look_and_rung(dispatcher, redis):
    [job_id] = owe(1)
    lose(redis)
    claim_elsewhere(job_id)

    dispatcher.tick()
    assert Job.objects.get().state == State.RUNNING

    dispatcher.tick()
    job = Job.objects.get()
    assert (job.state, job.attempt, job.losses, job.claimed_by) == (State.QUEUED, 1, 1, None)
    assert rung(redis) == {job_id: 1}


def test_a_job_whose_worker_lives_is_left_alone_whatever_it_takes(dispatcher, redis):
    [job_id] = owe(1)
    alive = threading.Event()
    claim_elsewhere(job_id, alive=alive)
    try:
        for _ in range(4):
            dispatcher.tick()
        assert Job.objects.get().state == State.RUNNING
    finally:
        alive.set()


def test_a_job_past_its_deadline_is_set_free_though_its_worker_looks_alive(dispatcher):
    [job_id] = owe(1)
    alive = threading.Event()
    claim_elsewhere(job_id, alive=alive)
    try:
        Job.objects.update(deadline=timezone.now() - timedelta(seconds=1))
        dispatcher.tick()
        dispatcher.tick()
        assert Job.objects.get().state == State.QUEUED
    finally:
        alive.set()


def test_an_orphan_that_was_claimed_again_between_two_looks_is_none(dispatcher):
    [job_id] = owe(1)
    claim_elsewhere(job_id)
    dispatcher.tick()
    Job.objects.update(state=State.QUEUED)
    alive = threading.Event()
    claim_elsewhere(job_id, alive=alive)
    try:
        dispatcher.tick()
        job = Job.objects.get()
        assert (job.state, job.attempt, job.losses) == (State.RUNNING, 2, 0)
    finally:
        alive.set()


def test_a_job_that_takes_its_worker_with_it_each_time_is_buried_and_the_others_go_on(dispatcher):
    poison, innocent = owe(2)
    for loss in range(3):
        assert Job.objects.get(pk=poison).losses == loss
        claim_elsewhere(poison)
        dispatcher.tick()
        dispatcher.tick()

    job = Job.objects.get(pk=poison)
    assert (job.state, job.attempt) == (State.DEAD, 3)
    assert job.error == "PoisonPill: It took its worker with it 3 times."
    result = AsyncResult(poison)
    assert (result.state, str(result.result)) == ("FAILURE", "It took its worker with it 3 times.")
    assert Job.objects.get(pk=innocent).state == State.QUEUED


def test_two_dispatchers_count_a_loss_once(waiting):
    [job_id] = owe(1)
    claim_elsewhere(job_id)
    both = [Dispatcher(current_app._get_current_object()) for _ in range(2)]

    for _ in range(2):
        for dispatcher in both:
            dispatcher.tick()

    assert Job.objects.get().losses == 1
