"""Tasks that may begin only so often: whoever claims, however many are there."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from proj.jobs import ledger, pausing
from proj.jobs.audit import Actor
from proj.jobs.ledger import claiming, rating
from proj.jobs.models import Job, TaskRate
from proj.jobs.testing import without_broker
from proj.jobs.why import Code, why
from tests.jobs.probes import add, refuse

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _without_broker():
    with without_broker():
        yield


def limit(runs=1, per=60):
    now = ledger.now()
    return TaskRate.objects.create(
        task="jobprobes.add", runs=runs, per=per, reason="x", free_at=now, booked_until=now
    )


def claim(job):
    try:
        return ledger.claim(job.id, task="jobprobes.add", retries=0, worker="w", seconds=1)
    except ledger.NotOwed:
        return None


def waits(job):
    """Return how many seconds a job has to wait for."""
    return round((Job.objects.get(pk=job.id).available_at - ledger.now()).total_seconds())


def test_one_begins_and_the_others_are_given_times_one_behind_the_other():
    limit(runs=1, per=60)
    jobs = [add.delay(number) for number in range(4)]

    claims = [claim(job) for job in jobs]

    assert [bool(claim) for claim in claims] == [True, False, False, False]
    assert [waits(job) for job in jobs[1:]] == [120, 180, 240]
    assert set(Job.objects.filter(state="queued").values_list("published_at", flat=True)) == {None}


def test_without_the_limit_all_begin():
    jobs = [add.delay(number) for number in range(4)]

    assert all(claim(job) for job in jobs)


def test_without_its_guard_the_claim_would_pass(monkeypatch):
    guard = "AND task NOT IN (SELECT task FROM jobs_taskrate)"
    monkeypatch.setattr(claiming, "_CLAIM", claiming._CLAIM.replace(guard, ""))
    limit()

    assert all(claim(add.delay(number)) for number in range(4))


def test_as_many_begin_at_once_as_come_between_two_rings_of_the_bell():
    limit(runs=10, per=1)
    jobs = [add.delay(number) for number in range(40)]

    begun = sum(bool(claim(job)) for job in jobs)

    assert 20 <= begun <= 26  # two seconds' worth, the one that is free, and what this loop takes


def test_without_the_burst_a_rate_that_is_faster_than_the_bell_could_not_be_had(monkeypatch):
    strict = rating.TURN.replace(f"secs => {rating.BURST}", "secs => 0")
    monkeypatch.setattr(claiming, "_CLAIM_IN_TURN", claiming._CLAIM_IN_TURN.replace(rating.TURN, strict))
    limit(runs=1, per=1)

    assert [bool(claim(add.delay(number))) for number in range(3)] == [True, False, False]


def test_a_turn_that_was_not_taken_is_not_saved_up():
    rate = limit(runs=1, per=60)
    TaskRate.objects.update(free_at=rate.free_at - timedelta(hours=1))

    assert [bool(claim(add.delay(number))) for number in range(3)] == [True, False, False]


def test_what_was_booked_begins_when_its_time_has_come():
    limit(runs=1, per=60)
    first, second = add.delay(1), add.delay(2)
    claim(first)
    claim(second)
    past = ledger.now() - timedelta(seconds=1)
    Job.objects.filter(pk=second.id).update(available_at=past)
    TaskRate.objects.update(free_at=past)

    assert [message.id for message in ledger.due(10)] == [second.id]
    assert claim(second).attempt == 1
    assert Job.objects.get(pk=second.id).progress is None


def test_other_tasks_are_none_of_its_business():
    limit()
    claim(add.delay(1))

    other = refuse.delay(1)
    assert ledger.claim(other.id, task="jobprobes.refuse", retries=0, worker="w", seconds=1).attempt == 1


def test_a_message_that_is_not_owed_takes_no_turn():
    limit()
    job, other = add.delay(1), add.delay(2)
    assert claim(job)

    TaskRate.objects.update(free_at=ledger.now())
    assert claim(job) is None  # a duplicate
    assert claim(other)


def test_a_paused_queue_takes_no_turns():
    limit()
    job = add.delay(1)
    pausing.pause("default", by=Actor("ann", None, "admin"), reason="x")
    before = TaskRate.objects.get()

    assert claim(job) is None

    after = TaskRate.objects.get()
    assert (after.free_at, after.booked_until) == (before.free_at, before.booked_until)
    assert waits(job) <= 0


@pytest.mark.django_db(transaction=True)
def test_many_who_claim_at_once_have_one_turn():
    limit(runs=1, per=60)
    jobs = [add.delay(number) for number in range(8)]
    begun, ready = [], threading.Barrier(8)

    def elsewhere(job):
        try:
            ready.wait(20)
            begun.append(claim(job))
        finally:
            connection.close()

    threads = [threading.Thread(target=elsewhere, args=[job]) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert [bool(each) for each in begun].count(True) == 1
    assert sorted(waits(job) for job in jobs if Job.objects.get(pk=job.id).state == "queued") == [
        120 + 60 * place for place in range(7)
    ]


def test_a_job_says_that_it_waits_for_its_turn_and_why():
    limit(runs=1, per=60)
    claim(add.delay(1))
    job = add.delay(2)
    claim(job)

    answer = why(job.id, ask_workers=False)

    assert answer.code == Code.RATED
    assert answer.sentence.startswith("It waits for its turn, ")
    assert answer.sentence.endswith("jobprobes.add: at most 1 a minute, because: x.")

    told = why(job.id, ask_workers=False, to_staff=False)
    assert told.code == Code.RATED
    assert "jobprobes.add" not in told.sentence


def test_what_was_booked_is_set_free_and_what_waits_for_a_time_of_its_own_is_not():
    limit(runs=1, per=60)
    claim(add.delay(1))
    booked, later = add.delay(2), add.apply_async((3,), countdown=600)
    claim(booked)

    assert ledger.unbook("jobprobes.add") == 1

    assert waits(booked) <= 0
    assert waits(later) > 500
