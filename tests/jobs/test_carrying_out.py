"""Operations on many jobs: a bite each second, each job once, until all are done or somebody stops it."""

import threading
from datetime import timedelta

import pytest
from celery.app.control import Control
from django.db import connection, transaction
from django.utils import timezone

from proj.jobs import carrying_out, ledger
from proj.jobs.audit import Actor
from proj.jobs.carrying_out import Order
from proj.jobs.models import AuditEntry, Job, Operation, State
from proj.jobs.selecting import Selection
from proj.jobs.testing import drain, without_broker
from tests.jobs.probes import add, refuse

pytestmark = pytest.mark.django_db

ANN = Actor("ann", 1, "admin")


@pytest.fixture(autouse=True)
def _without_broker():
    with without_broker():
        yield


def dead(count):
    jobs = [refuse.delay(number).id for number in range(count)]
    drain()
    return jobs


def begin(verb="retry", selection=None, **said):
    given = {"reason": "mended", "per_second": 2, "expected": 0, **said}
    return carrying_out.begin(
        Order(verb=verb, selection=selection or Selection(state="dead"), **given), by=ANN
    )


def later(seconds=1.0):
    """Let so much time pass for the operations; return how many jobs have their turn."""
    Operation.objects.filter(state="running").update(advanced_at=ledger.now() - timedelta(seconds=seconds))
    return carrying_out.advance()


def states():
    return dict(Job.objects.values_list("pk", "state"))


def test_so_many_a_second_have_their_turn_the_oldest_first():
    jobs = dead(5)
    operation = begin(expected=5)

    assert later() == 2

    assert states() == dict.fromkeys(jobs[:2], "queued") | dict.fromkeys(jobs[2:], "dead")
    operation.refresh_from_db()
    assert (operation.looked_at, operation.counts, operation.state) == (2, {"retried": 2}, "running")


def test_it_is_done_when_all_have_had_it():
    jobs = dead(5)
    operation = begin(expected=5)

    while Operation.objects.filter(state="running").exists():
        later()

    operation.refresh_from_db()
    assert states() == dict.fromkeys(jobs, "queued")
    assert (operation.state, operation.outcome) == ("done", "Done: 5 jobs had their turn.")
    assert operation.ended_at is not None


def test_nothing_is_done_before_its_time():
    jobs = dead(3)
    begin()

    assert carrying_out.advance() == 0
    assert later(0.4) == 0
    assert states() == dict.fromkeys(jobs, "dead")


def test_after_an_hour_without_a_beat_nothing_comes_in_a_rush():
    dead(8)
    begin()

    assert later(3600) == 4


def test_a_job_that_dies_again_is_not_retried_again():
    jobs = dead(2)
    operation = begin()
    later()
    drain()
    assert states() == dict.fromkeys(jobs, "dead")

    later()
    later()

    assert states() == dict.fromkeys(jobs, "dead")
    operation.refresh_from_db()
    assert (operation.state, operation.looked_at) == ("done", 2)


def test_without_the_cursor_it_would_be():
    dead(2)
    operation = begin()
    later()
    drain()
    Operation.objects.update(cursor_at=None, cursor_id="")

    later()

    operation.refresh_from_db()
    assert operation.looked_at == 4


def test_what_is_enqueued_later_is_not_meant():
    dead(1)
    begin(per_second=500)
    [newer] = {*dead(1)} & states().keys()

    while Operation.objects.filter(state="running").exists():
        later()

    assert states()[newer] == "dead"


def test_a_bite_and_what_is_written_down_of_it_are_one_transaction(monkeypatch):
    jobs = dead(2)
    operation = begin()
    monkeypatch.setattr(Operation, "save", lambda *_, **__: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        later()

    monkeypatch.undo()
    assert states() == dict.fromkeys(jobs, "dead")
    assert not AuditEntry.objects.filter(action="job.retry").exists()
    operation.refresh_from_db()
    assert operation.looked_at == 0


def test_every_job_and_the_whole_are_in_the_audit_log():
    jobs = dead(2)
    operation = begin(expected=2)
    later()

    said = AuditEntry.objects.order_by("pk").values_list("actor", "origin", "action", "target", "reason")
    assert list(said) == [
        ("ann", "admin", "operation.begin", f"operation:{operation.pk}", "mended"),
        *(("ann", f"operation {operation.pk}", "job.retry", f"job:{job}", "mended") for job in sorted(jobs)),
    ]


def test_a_person_stops_it_and_what_is_done_stays_done():
    jobs = dead(4)
    operation = begin()
    later()

    assert carrying_out.stop(operation.pk, by=Actor("bob", 2, "admin"), reason="too many")
    assert later() == 0
    assert not carrying_out.stop(operation.pk, by=ANN)

    assert list(states().values()).count("queued") == 2
    assert set(states()) == set(jobs)
    operation.refresh_from_db()
    assert (operation.state, operation.outcome) == ("stopped", "Stopped by bob after 2 jobs.")
    assert AuditEntry.objects.filter(action="operation.stop", actor="bob").count() == 1


def test_it_stops_by_itself_when_too_many_are_dead_again():
    dead(10)
    operation = begin(most_dead=2)

    later()
    drain()
    later()

    operation.refresh_from_db()
    assert (operation.state, operation.outcome) == (
        "stopped",
        "Stopped by itself: 2 of its jobs were dead again.",
    )
    assert operation.looked_at == 4
    assert later() == 0


def test_jobs_that_were_dead_before_do_not_stop_it():
    dead(10)
    operation = begin(most_dead=2)

    later()
    later()

    operation.refresh_from_db()
    assert operation.state == "running"


def test_burying_takes_what_waits_and_keeps_the_reason():
    waiting = [add.delay(number).id for number in range(2)]

    begin("bury", Selection(task="jobprobes.add"), reason="wrong price")
    later()

    assert set(Job.objects.values_list("pk", "state", "error")) == {
        (job, State.DEAD, "Buried: wrong price") for job in waiting
    }


@pytest.mark.parametrize("terminate", [True, False])
def test_cancelling_says_what_became_of_each_and_kills_only_when_it_was_told_to(
    terminate, monkeypatch, django_capture_on_commit_callbacks
):
    broadcasts = []
    monkeypatch.setattr(Control, "broadcast", lambda self, *call: broadcasts.append(call))
    waiting, running = add.delay(1), add.delay(2)
    ledger.claim(running.id, task="jobprobes.add", retries=0, worker="w", seconds=10)
    operation = begin("cancel", Selection(task="jobprobes.*"), terminate=terminate)

    with django_capture_on_commit_callbacks(execute=True):
        later()

    operation.refresh_from_db()
    assert operation.counts == {"cancelled": 1, "stopping": 1}
    assert waiting.state == "REVOKED"
    assert [call[1]["task_id"] for call in broadcasts] == ([[running.id]] if terminate else [])


def test_two_at_once_take_turns():
    dead(4)
    first, second = begin(), begin("cancel", Selection(state="dead"))

    assert later() == 4
    assert set(Operation.objects.values_list("pk", "looked_at")) == {(first.pk, 2), (second.pk, 2)}


def test_a_dispatcher_carries_them_out(waiting, dispatcher):
    jobs = dead(1)
    begin(per_second=500)
    Operation.objects.update(advanced_at=ledger.now() - timedelta(seconds=1))

    dispatcher.tick()

    assert states() == dict.fromkeys(jobs, "queued")


def test_trouble_with_an_operation_keeps_no_dispatcher_from_ringing(waiting, dispatcher, monkeypatch, caplog):
    monkeypatch.setattr(carrying_out, "advance", lambda: 1 / 0)
    job = add.delay(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("proj.jobs.bell.is_silent", lambda: False)
        dispatcher.tick()

    assert Job.objects.get(pk=job.id).published_at is not None
    assert "operations: ZeroDivisionError" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_one_that_another_beat_has_in_hand_is_left_to_it():
    dead(2)
    operation = begin()
    Operation.objects.update(advanced_at=ledger.now() - timedelta(seconds=1))
    done = []

    def elsewhere():
        try:
            done.append(carrying_out.advance())
        finally:
            connection.close()

    with transaction.atomic():
        Operation.objects.select_for_update().get(pk=operation.pk)
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join(20)

    assert done == [0]


def test_a_selection_comes_back_from_its_json_as_it_was():
    now = timezone.now()
    selection = Selection(state="dead", task="a.*", argument="x=1", since=now, ids=["1", "2"])

    assert Selection.from_json(selection.as_json()) == selection
