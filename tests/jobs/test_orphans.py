"""What the dispatcher does for jobs whose workers are gone."""

import threading
import time
from datetime import timedelta

import pytest
from celery import current_app
from celery.result import AsyncResult
from django.db import connection
from django.utils import timezone

from proj.jobs import ledger
from proj.jobs.dispatcher import Dispatcher
from proj.jobs.ledger.statements import run
from proj.jobs.models import Job, State
from tests.jobs.broker import lose, owe, rung

pytestmark = pytest.mark.django_db(transaction=True)


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
