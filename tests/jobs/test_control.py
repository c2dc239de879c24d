"""Celery's own control: what is revoked is cancelled in the ledger, whoever is there to hear it."""

import pytest
from celery import chord, current_app, states
from celery.app.control import Control
from celery.exceptions import ChordError, TaskRevokedError
from celery.result import AsyncResult
from django.db import transaction
from django_celery_results.models import TaskResult

from proj.jobs import ledger, operations
from proj.jobs.control import LedgerControl
from proj.jobs.ledger import Cancelled
from proj.jobs.models import Job, State
from proj.jobs.testing import drain, perform, without_broker
from tests.jobs.probes import add, refuse, stops, stops_late, total

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def told(monkeypatch):
    """What was broadcast to the workers; nobody is there to hear it, nor the bell."""
    broadcasts = []
    monkeypatch.setattr(
        Control,
        "broadcast",
        lambda self, command, arguments=None, *_, **__: broadcasts.append((command, arguments)),
    )
    with without_broker():
        yield broadcasts


def test_the_app_has_our_control():
    assert isinstance(current_app.control, LedgerControl)


def test_a_job_that_waits_is_cancelled_with_no_worker_there(told):
    job = add.delay(1)

    job.revoke()

    assert job.state == states.REVOKED
    with pytest.raises(TaskRevokedError, match="cancelled"):
        job.get(timeout=1)
    assert drain() == []
    assert not Job.objects.exists()
    assert told == []


def test_a_cancelled_job_keeps_what_it_was(told):
    job = refuse.delay(42)

    job.revoke()

    row = TaskResult.objects.get(task_id=job.id)
    assert (row.task_name, row.task_args, row.task_kwargs) == ("jobprobes.refuse", '"(42,)"', '"{}"')
    assert row.meta == '{"children":[],"subject":"order:42"}'


def test_a_cancelled_job_is_not_enqueued_again_under_its_id(told):
    job = add.delay(1)
    job.revoke()

    add.apply_async((1,), task_id=job.id)

    assert not Job.objects.exists()


def test_many_are_cancelled_at_once(told):
    jobs = [add.delay(number) for number in range(3)]

    current_app.control.revoke([job.id for job in jobs])

    assert {job.state for job in jobs} == {states.REVOKED}
    assert told == []


def test_the_command_line_of_celery_reaches_the_ledger_too(told):
    waiting, first = add.delay(1), claimed(add, 2)

    assert current_app.control.broadcast("revoke", {"task_id": [waiting.id]}, reply=True) == []
    current_app.control.broadcast("terminate", {"signal": "KILL", "task_id": [first.id]})
    current_app.control.broadcast("ping")

    assert waiting.state == states.REVOKED
    assert Job.objects.get().cancel_requested
    assert told == [("terminate", {"signal": "KILL", "task_id": [first.id]}), ("ping", None)]


def test_a_cancelled_dead_job_is_forgotten(told):
    job = refuse.delay(1)
    drain()

    job.revoke()

    assert job.state == states.REVOKED
    assert not Job.objects.exists()


def test_what_the_ledger_does_not_know_is_broadcast_as_ever(told):
    AsyncResult("unknown").revoke(terminate=True, signal="SIGKILL")

    assert told == [("revoke", {"task_id": ["unknown"], "terminate": True, "signal": "SIGKILL"})]


def test_a_wish_that_is_rolled_back_was_none(told):
    job = add.delay(1)

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        job.revoke()
        raise ZeroDivisionError

    assert job.state == "QUEUED"


def test_a_success_is_never_revoked(told):
    job = add.delay(1)
    drain()

    assert operations.cancel([job.id]) == {job.id: Cancelled.TOO_LATE}
    assert job.state == states.SUCCESS


@pytest.mark.parametrize("where", ["checkpoint", "progress"])
def test_a_running_job_stops_at_its_next_checkpoint(told, where):
    with pytest.raises(TaskRevokedError):
        perform(stops, checkpoint=where)

    assert TaskResult.objects.get().status == states.REVOKED
    assert not Job.objects.exists()


def test_a_running_job_without_a_checkpoint_runs_to_its_end(told):
    assert perform(stops, checkpoint="none") == "stopping"


def claimed(task, *args):
    job = task.delay(*args)
    ledger.claim(job.id, task=task.name, retries=0, worker="w1@test", seconds=10)
    return job


def test_a_running_job_is_asked_to_stop_and_killed_only_when_that_is_asked_for(told):
    job = claimed(add, 1)

    job.revoke()
    assert Job.objects.get().cancel_requested
    assert told == []

    job.revoke(terminate=True)
    assert told == [("revoke", {"task_id": [job.id], "terminate": True, "signal": None})]


def test_a_job_that_was_asked_to_stop_and_lost_its_worker_does_not_run_again(told):
    job = claimed(add, 1)
    job.revoke()
    ledger.rescue([ledger.Orphan(job.id, 1, "jobprobes.add", "w1@test", 0)])
    assert job.state == "QUEUED"

    assert [ran.state for ran in drain()] == [states.REVOKED]
    assert not Job.objects.exists()


def test_a_job_that_was_asked_to_stop_and_asks_for_another_try_ends_at_once(told):
    with pytest.raises(Exception, match="Transient"):
        perform(stops_late, "once")

    assert [ran.state for ran in drain()] == [states.REVOKED]
    assert not Job.objects.exists()


def test_a_chord_whose_part_is_cancelled_fails(told):
    whole = chord([add.s(1), add.s(2)], total.s()).delay()
    part = whole.parent.results[0]

    part.revoke()
    drain()

    assert isinstance(whole.result, ChordError)
    assert str(whole.result) == f"Dependency {part.id} raised TaskRevokedError('cancelled')"


def test_a_buried_job_is_dead_with_its_reason_and_what_follows_from_a_failure_follows(told):
    plain, followed = add.delay(1), add.apply_async((2,), link_error=total.s())
    whole = chord([add.s(1), add.s(2)], total.s()).delay()
    part = whole.parent.results[0]
    running = claimed(add, 3)

    assert operations.bury([plain.id, followed.id, part.id, running.id, "unknown"], "wrong price") == 3

    assert set(Job.objects.filter(state=State.DEAD).values_list("pk", "error")) == {
        (each.id, "Buried: wrong price") for each in (plain, followed, part)
    }
    assert {repr(each.result) for each in (plain, followed, part)} == {"Buried('wrong price')"}
    assert running.state == states.STARTED
    drain()
    assert str(whole.result) == f"Dependency {part.id} raised Buried('wrong price')"


def test_a_dead_job_is_replayed_from_its_first_try(told):
    job = refuse.delay(1)
    drain()

    assert operations.retry([job.id, "unknown"]) == 1
    assert job.state == "QUEUED"

    assert [ran.state for ran in drain()] == [states.FAILURE]
    assert Job.objects.get().attempt == 2


def test_a_dead_job_is_replayed_with_other_arguments_and_another_subject(told):
    job = refuse.delay(1)
    drain()

    assert operations.retry_with(job.id, [7], None)

    replayed = Job.objects.get()
    assert (replayed.state, replayed.subject) == (State.QUEUED, "order:7")
    assert replayed.message["headers"]["argsrepr"] == "(7,)"
    [ran] = drain()
    assert (ran.args, str(ran.result)) == ([7], "order 7 is refused")


def test_arguments_that_the_task_cannot_take_change_nothing(told):
    job = refuse.delay(1)
    drain()

    with pytest.raises(TypeError):
        operations.retry_with(job.id, [1, 2], None)

    assert Job.objects.get().state == State.DEAD


def test_only_a_dead_job_is_replayed_with_other_arguments(told):
    job = add.delay(1)

    assert not operations.retry_with(job.id, [2], None)
    assert [ran.args for ran in drain()] == [[1]]
