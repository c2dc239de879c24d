from datetime import UTC, datetime, timedelta

import pytest
from django_celery_results.models import TaskResult

from proj.jobs import bell, facts, health, ledger, operations
from proj.jobs.facts import Facts
from proj.jobs.models import Job, State
from proj.jobs.testing import drain, without_broker
from proj.jobs.why import Code, explain, why
from tests.jobs.probes import add, busy, refuse

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)  # fixed: it is part of the tests' names
AT = f"{NOW:%Y-%m-%d %H:%M:%S} UTC"


def job(**fields):
    defaults = {"id": "j", "task": "t", "queue": "io", "priority": 5, "state": State.QUEUED, "attempt": 0}
    times = {"available_at": NOW, "published_at": NOW, "claimed_at": NOW, "created_at": NOW}
    return Job(**{**defaults, **times, **fields})


def running(**fields):
    return job(state=State.RUNNING, worker="w1@host", attempt=2, **fields)


@pytest.mark.parametrize(
    ("known", "code", "sentence"),
    [
        (
            {"job": job(available_at=NOW + timedelta(minutes=5))},
            Code.SCHEDULED,
            f"It waits for its time: {NOW + timedelta(minutes=5):%Y-%m-%d %H:%M:%S} UTC, in 5 minutes.",
        ),
        (
            {"job": job(available_at=NOW + timedelta(seconds=1), error="Transient: busy")},
            Code.RETRYING,
            (
                "It has failed in passing (Transient: busy) and waits for its time: "
                f"{NOW + timedelta(seconds=1):%Y-%m-%d %H:%M:%S} UTC, in 1 second."
            ),
        ),
        (
            {"job": job(published_at=None)},
            Code.NOT_RUNG,
            "It is rung for within a second or two.",
        ),
        (
            {"job": job(published_at=None, available_at=NOW - timedelta(minutes=1))},
            Code.NOT_RUNG,
            (
                "It is rung for within a second or two. It has been waiting for that since "
                f"{NOW - timedelta(minutes=1):%Y-%m-%d %H:%M:%S} UTC: no beat is running."
            ),
        ),
        (
            {"job": job(published_at=None), "broker_is_there": False},
            Code.BROKER_AWAY,
            "It waits for the broker, which is away; it is safe meanwhile.",
        ),
        (
            {"job": job(), "consumed": frozenset({"default"})},
            Code.NO_WORKER,
            "It waits in io, from which no worker takes anything.",
        ),
        ({"job": job(), "consumed": frozenset({"io"})}, Code.BEHIND, "It is the next in io."),
        ({"job": job(), "ahead": 1}, Code.BEHIND, "It waits in io, behind 1 other."),
        ({"job": job(), "ahead": 370}, Code.BEHIND, "It waits in io, behind 370 others."),
        (
            {"job": job(), "ahead": facts.MOST_AHEAD},
            Code.BEHIND,
            "It waits in io, behind more than 1,000 others.",
        ),
        (
            {"job": running(deadline=NOW + timedelta(seconds=75))},
            Code.RUNNING,
            (
                f"It runs on w1@host since {AT}: attempt 2, and has until "
                f"{NOW + timedelta(seconds=75):%Y-%m-%d %H:%M:%S} UTC."
            ),
        ),
        (
            {"job": running(cancel_requested=True)},
            Code.STOPPING,
            "It runs on w1@host, was asked to stop, and does at its next checkpoint.",
        ),
        (
            {"job": running(), "claimant_is_there": False},
            Code.ORPHANED,
            "It was claimed by w1@host, which is gone: it is set free within seconds. If it is not, no beat is running.",
        ),
        (
            {"job": running(deadline=NOW - timedelta(seconds=1))},
            Code.ORPHANED,
            "w1@host has not ended it by its deadline: it is set free within seconds.",
        ),
        (
            {"job": job(state=State.DEAD, attempt=3, error="ValueError: no")},
            Code.DEAD,
            "It is dead after 3 attempts: ValueError: no. It is kept as it was sent, and can be retried.",
        ),
        (
            {"job": job(state=State.DEAD, error="Buried: wrong price")},
            Code.DEAD,
            "It is dead and has never run: Buried: wrong price. It is kept as it was sent, and can be retried.",
        ),
        (
            {"result": TaskResult(status="SUCCESS", date_done=NOW - timedelta(hours=30))},
            Code.FINISHED,
            f"It has ended: succeeded, 30 hours ago, at {NOW - timedelta(hours=30):%Y-%m-%d %H:%M:%S} UTC.",
        ),
        (
            {"result": TaskResult(status="REVOKED", date_done=NOW - timedelta(days=3))},
            Code.FINISHED,
            f"It has ended: cancelled, 3 days ago, at {NOW - timedelta(days=3):%Y-%m-%d %H:%M:%S} UTC.",
        ),
    ],
)
def test_every_state_of_affairs_has_its_answer(known, code, sentence):
    assert explain(Facts(now=NOW, **known)) == (code, sentence)


def test_an_unknown_job_is_told_with_what_may_be_the_reason():
    assert explain(Facts(now=NOW)).code == Code.UNKNOWN


@pytest.fixture
def workers(db, monkeypatch):
    """Workers on the default queue, and a bell that rings in rows only."""
    monkeypatch.setattr(health, "check_broker", lambda: None)
    monkeypatch.setattr(health.consumers, "queues", lambda: {"default"})
    monkeypatch.setattr(bell, "ring_on_commit", lambda *rung: None)
    monkeypatch.setattr(bell, "is_silent", lambda: False)


def test_a_job_is_behind_what_is_as_urgent_and_was_rung_before_and_what_is_more_urgent(workers):
    for priority in (5, 5, 9, 0, 3):
        add.apply_async((1,), priority=priority)
    mine = add.apply_async((2,), priority=5)
    add.apply_async((3,), priority=4)
    add.apply_async((3,), queue="bulk")

    assert why(mine.id) == (Code.BEHIND, "It waits in default, behind 4 others.")


def test_the_first_in_its_queue_is_the_next(workers):
    mine = add.delay(1)

    assert why(mine.id) == (Code.BEHIND, "It is the next in default.")


def test_a_queue_without_a_worker_is_named(workers):
    mine = add.apply_async((1,), queue="bulk")

    assert why(mine.id).code == Code.NO_WORKER
    assert why(mine.id, ask_workers=False).code == Code.BEHIND


def test_a_broker_that_is_away_is_named(workers, monkeypatch):
    def away():
        raise OSError

    monkeypatch.setattr(health, "check_broker", away)
    with without_broker():
        mine = add.delay(1)
        assert why(mine.id).code == Code.BROKER_AWAY
        assert why(mine.id, ask_workers=False).code == Code.BROKER_AWAY


def test_what_was_recorded_while_the_broker_was_away_is_to_be_rung_for(workers):
    with without_broker():
        mine = add.delay(1)

    assert why(mine.id).code == Code.NOT_RUNG


def test_a_claimed_job_runs_as_long_as_its_claimant_is_connected(workers):
    mine = add.delay(1)
    claim = ledger.claim(mine.id, task=add.name, retries=0, worker="w1@test", seconds=10)

    assert why(mine.id).code == Code.RUNNING
    ledger.disown(claim)
    assert why(mine.id).code == Code.ORPHANED


def test_the_life_of_a_job_in_answers(workers):
    mine, retried = refuse.delay(1), busy.delay()
    assert why(mine.id).code == Code.BEHIND
    drain()
    assert (why(mine.id).code, why(retried.id).code) == (Code.DEAD, Code.RETRYING)
    operations.cancel([mine.id])
    assert why(mine.id).code == Code.FINISHED
    assert why("unknown").code == Code.UNKNOWN
