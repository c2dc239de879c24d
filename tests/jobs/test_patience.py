"""A database that is away when a job is claimed or ends."""

import pytest
from celery import states
from celery.exceptions import SoftTimeLimitExceeded
from django.db import OperationalError, connection
from django_celery_results.models import TaskResult

from proj.jobs import ledger, patience
from proj.jobs.models import Job, State
from tests.jobs.inline import one, stored, the_job


@pytest.fixture
def pauses(monkeypatch):
    """Do not wait for the database; return the pauses that would have been made."""
    pauses = []
    monkeypatch.setattr(patience.time, "sleep", pauses.append)
    return pauses


def test_a_claim_waits_for_a_database_that_is_away(worker, bound, monkeypatch, pauses):
    result = one.delay()
    real, failures = ledger.claim, [OperationalError("gone"), OperationalError("gone")]

    def claim(*args, **kwargs):
        if failures:
            raise failures.pop()
        return real(*args, **kwargs)

    monkeypatch.setattr("proj.jobs.task.ledger.claim", claim)
    worker.work()

    assert pauses == [0.05, 0.2]
    assert stored(result) == states.SUCCESS


def test_a_job_that_could_not_be_claimed_goes_back_and_is_not_called_failed(worker, monkeypatch, pauses):
    result = one.delay()

    def claim(*_args, **_kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr("proj.jobs.task.ledger.claim", claim)
    worker.deliver(the_job())

    assert pauses == list(patience.WAITS)
    assert worker.rejected == [(result.id, True)]
    assert (the_job().state, stored(result)) == (State.QUEUED, None)


def test_an_outcome_waits_for_a_database_that_is_away(worker, monkeypatch, pauses):
    result = one.delay()
    real, failures = ledger.finish, [OperationalError("gone"), SoftTimeLimitExceeded()]

    def finish(*args):
        if failures:
            raise failures.pop()
        real(*args)

    monkeypatch.setattr("proj.jobs.endings.ledger.finish", finish)
    worker.work()

    assert stored(result) == states.SUCCESS
    assert not Job.objects.exists()


def test_an_outcome_that_could_not_be_stored_leaves_an_orphan(worker, monkeypatch, pauses):
    one.delay()

    def finish(*_args):
        raise OperationalError("gone")

    monkeypatch.setattr("proj.jobs.endings.ledger.finish", finish)
    worker.deliver(the_job())

    assert the_job().state == State.RUNNING
    assert [orphan.id for orphan in ledger.orphans(10)] == [the_job().pk]


def test_a_transaction_that_a_task_left_open_does_not_swallow_its_outcome(worker, bound):
    def body(self):
        connection.set_autocommit(False)
        TaskResult.objects.create(task_id="never committed")

    result = bound(body).delay()
    worker.work()
    connection.close()

    assert stored(result) == states.SUCCESS
    assert not TaskResult.objects.filter(task_id="never committed").exists()
