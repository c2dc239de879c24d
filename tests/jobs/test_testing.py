from datetime import timedelta

import pytest
from celery import chain, chord, current_app, states
from celery.exceptions import Retry
from django.db import connection, transaction
from django.utils import timezone
from django_celery_results.models import TaskResult

from proj.jobs.errors import Permanent
from proj.jobs.models import Job, State
from proj.jobs.testing import assert_enqueued, drain, enqueued, perform, without_broker
from tests.jobs.probes import add, again, busy, refuse, total


@pytest.fixture(
    params=[
        pytest.param(True, id="wrapped", marks=pytest.mark.django_db),
        pytest.param(False, id="transactional", marks=pytest.mark.django_db(transaction=True)),
    ]
)
def database(request):
    """Once in a transaction that is never committed, once for real."""
    assert connection.in_atomic_block is request.param
    with without_broker():
        yield


def ran(jobs):
    return [(job.task, job.state, job.result) for job in jobs]


def test_what_is_owed_is_run_in_this_process_and_leaves_a_result(database):
    job = add.delay(1, y=2)

    [done] = drain()

    assert (done.id, done.task, done.args, done.kwargs) == (job.id, "jobprobes.add", [1], {"y": 2})
    assert (done.state, done.result) == ("SUCCESS", 3)
    assert (job.get(timeout=1), Job.objects.count()) == (3, 0)
    assert TaskResult.objects.get(task_id=job.id).task_name == "jobprobes.add"


def test_nothing_owed_is_nothing_run(database):
    assert drain() == []


def test_what_follows_is_run_too(database):
    chain(add.s(1, 2), add.s(3)).delay()
    chord([add.s(1, 1), add.s(2, 2)], total.s()).delay()

    results = ran(drain())

    assert len(results) == 5
    assert ("jobprobes.add", "SUCCESS", 6) in results
    assert results[-1] == ("jobprobes.total", "SUCCESS", 6) or ("jobprobes.total", "SUCCESS", 6) in results


def test_the_most_urgent_is_run_first(database):
    add.apply_async((1,), priority=9)
    add.apply_async((2,), priority=0)

    assert [job.args for job in drain()] == [[2], [1]]


def test_a_job_that_failed_is_told_and_kept(database):
    refuse.delay(42)

    [failed] = drain()

    assert failed.state == "FAILURE"
    assert isinstance(failed.result, Permanent)
    assert Job.objects.get().state == State.DEAD
    assert drain() == []


def test_what_waits_for_its_time_is_not_run(database):
    job = add.apply_async((1,), countdown=3600)

    assert drain() == []
    assert job.state == "SCHEDULED"


def test_what_waits_for_its_time_is_run_when_asked_for(database):
    add.apply_async((1,), countdown=3600)
    add.apply_async((2,), countdown=60)

    assert [job.result for job in drain(ahead=True)] == [2, 1]


def test_retries_are_seen_one_by_one_or_to_the_end(database):
    busy.delay()

    assert [job.state for job in drain()] == ["RETRY"]
    assert drain() == []
    assert [job.state for job in drain(ahead=True)] == ["RETRY"] * 9 + ["FAILURE"]


def test_only_one_queue_is_drained_when_asked_for(database):
    add.delay(1)
    add.apply_async((2,), queue="bulk")

    assert [job.result for job in drain(queue="bulk")] == [2]
    assert len(enqueued()) == 1


def test_what_goes_round_in_circles_is_stopped(database):
    again.delay()

    with pytest.raises(AssertionError, match=r"still not done after 5 jobs; the next is jobprobes\.again"):
        drain(limit=5)


def test_a_task_that_nobody_knows_is_named(database):
    current_app.send_task("nowhere.to_be_found", queue="default")

    with pytest.raises(LookupError, match=r"nowhere\.to_be_found is not known here"):
        drain()


def test_a_message_that_has_expired_is_not_run(database):
    add.apply_async((1,), expires=timezone.now() - timedelta(seconds=1))

    [expired] = drain()

    assert (expired.state, str(expired.result)) == (states.REVOKED, "expired")
    assert not Job.objects.exists()


def test_performing_a_task_returns_what_it_returns_and_runs_nothing_else(database):
    waiting = add.delay(5)

    assert perform(add, 1, y=2) == 3
    assert perform("jobprobes.add", 1) == 1
    assert [job.pk for job in enqueued()] == [waiting.id]


def test_performing_a_task_raises_what_it_raises(database):
    with pytest.raises(Permanent, match="order 7 is refused"):
        perform(refuse, 7)
    with pytest.raises(Retry, match="Transient: the provider is busy"):
        perform(busy)


def test_what_is_enqueued_can_be_asserted(database):
    add.apply_async((1,), {"y": 2}, queue="bulk")

    job = assert_enqueued(add)
    assert job == assert_enqueued("jobprobes.add", args=[1], kwargs={"y": 2}, queue="bulk")
    assert job == assert_enqueued(add, args=(1,))


@pytest.mark.parametrize(
    "other", [{"args": [2]}, {"kwargs": {}}, {"queue": "io"}, {"args": [1], "kwargs": {"y": 3}}]
)
def test_what_is_not_enqueued_is_told_with_what_is(database, other):
    add.apply_async((1,), {"y": 2}, queue="bulk")

    with pytest.raises(
        AssertionError,
        match=r"jobprobes.add is not enqueued like that; what waits: \[\"jobprobes.add \(\[1\], \{'y': 2\}\) in bulk",
    ):
        assert_enqueued(add, **other)


def test_with_nothing_enqueued_that_is_what_is_said(database):
    with pytest.raises(AssertionError, match="what waits: nothing"):
        assert_enqueued(add)


def test_what_was_rolled_back_was_never_enqueued(database):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        add.delay(1)
        raise ZeroDivisionError

    assert enqueued() == []
