"""A paused queue in the ledger: nothing of it begins, nothing is rung for, nothing is lost. Workers: tests/workers."""

import pytest
from celery import chain

from proj.jobs import health, ledger, pausing
from proj.jobs.audit import Actor
from proj.jobs.ledger import claiming, recording, ringing
from proj.jobs.message import Message
from proj.jobs.models import AuditEntry, Job, PausedQueue
from proj.jobs.subjects import Subject
from proj.jobs.testing import drain, without_broker
from proj.jobs.why import Code, why
from proj.queues import PURPOSES
from tests.factories import make_user
from tests.jobs.broker import dispatched, lose, owe, rung
from tests.jobs.probes import add, busy

pytestmark = pytest.mark.django_db

ANN, BOB = Actor("ann", 1, "admin"), Actor("bob", 2, "admin")
OFF = "NOT IN (SELECT queue FROM jobs_pausedqueue WHERE false)"
GUARD = "NOT IN (SELECT queue FROM jobs_pausedqueue)"


def pause(queue="default"):
    assert pausing.pause(queue, by=ANN, reason="a bad import")


def resume(queue="default"):
    assert pausing.resume(queue, by=BOB)


def claim(job):
    return ledger.claim(job.id, task="jobprobes.add", retries=0, worker="w", seconds=1)


# --- who, and why -----------------------------------------------------------------------------------------------------


def test_a_pause_is_a_row_and_an_entry_in_the_audit_log():
    pause()
    resume()

    assert not PausedQueue.objects.exists()
    said = AuditEntry.objects.order_by("pk").values_list("actor", "action", "target", "reason")
    assert list(said) == [
        ("ann", "queue.pause", "queue:default", "a bad import"),
        ("bob", "queue.resume", "queue:default", ""),
    ]
    assert AuditEntry.objects.latest("pk").before["by"] == "ann"


def test_of_two_who_pause_one_does():
    assert pausing.pause("default", by=ANN, reason="first")
    assert not pausing.pause("default", by=BOB, reason="second")
    assert (PausedQueue.objects.get().reason, AuditEntry.objects.count()) == ("first", 1)

    assert pausing.resume("default", by=BOB)
    assert not pausing.resume("default", by=ANN)
    assert AuditEntry.objects.count() == 2


# --- the claim --------------------------------------------------------------------------------------------------------


def test_a_job_of_a_paused_queue_is_not_claimed_and_its_message_is_given_up(waiting):
    job = add.delay(1)
    pause()

    with pytest.raises(ledger.NotOwed):
        claim(job)

    row = Job.objects.get()
    assert (row.state, row.attempt, row.published_at) == ("queued", 0, None)
    resume()
    assert [message.id for message in ledger.due(10)] == [job.id]
    assert claim(job).attempt == 1


def test_without_its_guard_the_claim_would_pass(waiting, monkeypatch):
    monkeypatch.setattr(claiming, "_CLAIM", claiming._CLAIM.replace(GUARD, OFF))
    job = add.delay(1)
    pause()

    assert claim(job).attempt == 1


def test_a_message_that_is_not_owed_marks_nothing(waiting):
    """What is in no paused queue keeps its mark: a duplicate is no reason to ring again."""
    job, other = add.delay(1), add.delay(2)
    pause("bulk")
    claim(job)

    with pytest.raises(ledger.NotOwed):
        claim(job)
    with pytest.raises(ledger.NotOwed):
        ledger.claim(other.id, task="jobprobes.add", retries=1, worker="w", seconds=1)

    assert None not in Job.objects.values_list("published_at", flat=True)


def test_without_the_mark_it_is_found_as_lost(waiting, dispatcher, redis, monkeypatch):
    """A worker that dies between refusing and marking."""
    monkeypatch.setattr(claiming, "hold", lambda _: None)
    [job] = owe(1)
    pause()
    lose(redis)  # the worker took it
    with pytest.raises(ledger.NotOwed):
        ledger.claim(job, task="tests.dispatched", retries=0, worker="w", seconds=1)
    dispatcher.tick()
    dispatcher.tick()
    assert rung(redis) == {}

    resume()
    dispatcher.tick()
    dispatcher.tick()

    assert rung(redis) == {job: 1}


# --- the bell ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_what_is_enqueued_to_a_paused_queue_is_recorded_and_not_rung(waiting, dispatcher, redis):
    pause()

    jobs = owe(3)
    other = dispatched.apply_async(queue="bulk").id
    dispatcher.tick()

    assert waiting("default") == 0
    assert waiting("bulk") == 1
    assert list(Job.objects.exclude(pk=other).values_list("published_at", flat=True)) == [None] * 3

    resume()
    dispatcher.tick()
    assert rung(redis) == dict.fromkeys(jobs, 1)


@pytest.mark.django_db(transaction=True)
def test_without_its_guard_what_is_enqueued_would_be_rung(waiting, redis, monkeypatch):
    monkeypatch.setattr(recording, "_RECORD", recording._RECORD.replace(GUARD, OFF))
    pause()

    jobs = owe(3)

    assert rung(redis) == dict.fromkeys(jobs, 1)


def test_what_is_due_is_rung_for_unless_its_queue_is_paused(waiting):
    with without_broker():
        held, free = add.delay(1), add.apply_async((2,), queue="bulk")
    pause()

    assert [message.id for message in ledger.due(10)] == [free.id]

    resume()
    assert [message.id for message in ledger.due(10)] == [held.id]


def test_without_its_guard_it_would_be(waiting, monkeypatch):
    monkeypatch.setattr(ringing, "_DUE", ringing._DUE.replace(GUARD, OFF))
    with without_broker():
        held = add.delay(1)
    pause()

    assert [message.id for message in ledger.due(10)] == [held.id]


def test_the_oldest_of_all_queues_are_rung_for_first(waiting):
    with without_broker():
        jobs = [
            add.apply_async((n,), queue=queue).id
            for n, queue in enumerate(["io", "bulk", "default", "bulk", "io"])
        ]
    Job.objects.filter(pk=jobs[3]).update(available_at="2020-01-01T00:00:00Z")

    assert {message.id for message in ledger.due(2)} == {jobs[3], jobs[0]}
    assert {message.id for message in ledger.due(10)} == {jobs[1], jobs[2], jobs[4]}
    assert ledger.due(10) == []


@pytest.mark.django_db(transaction=True)
def test_messages_of_a_paused_queue_are_not_missed(waiting, dispatcher, redis):
    jobs = owe(2)
    pause()
    lose(redis)

    for _ in range(3):
        dispatcher.tick()
    assert rung(redis) == {}

    resume()
    dispatcher.tick()
    dispatcher.tick()
    assert rung(redis) == dict.fromkeys(jobs, 1)


@pytest.mark.django_db(transaction=True)
def test_without_its_guard_they_would_be_rung_for_again(waiting, dispatcher, redis, monkeypatch):
    monkeypatch.setattr("proj.jobs.dispatcher.paused", dict)
    jobs = owe(2)
    pause()
    lose(redis)

    for _ in range(2):
        dispatcher.tick()

    assert rung(redis) == dict.fromkeys(jobs, 1)


# --- what comes after a job -------------------------------------------------------------------------------------------


def test_a_chain_waits_where_its_next_step_is_paused():
    with without_broker():
        chain(add.s(1, 2).set(queue="io"), add.s(3)).delay()
        pause()

        assert [ran.result for ran in drain()] == [3]
        assert Job.objects.get().queue == "default"

        resume()
        assert [ran.result for ran in drain()] == [6]


@pytest.mark.parametrize(("holding", "rings"), [(True, False), (False, True)])
def test_a_retry_is_rung_for_unless_its_queue_is_paused(worker, holding, rings):
    busy.delay()
    job = Job.objects.get()
    taken = ledger.claim(job.pk, task=job.task, retries=0, worker="w", seconds=1)
    if holding:
        pause()

    again = Message(job.pk, job.task, "default", 5, None, job.message)
    assert ledger.retry(taken, again, error="busy", ring=True) is rings
    assert (Job.objects.get().published_at is not None) is rings


# --- what people are told ---------------------------------------------------------------------------------------------


def test_a_job_says_who_has_paused_its_queue_and_why():
    with without_broker():
        job = add.delay(1)
    pause()

    answer = why(job.id, ask_workers=False)

    assert answer.code == Code.PAUSED
    assert "It waits in default, which ann has paused since" in answer.sentence
    assert answer.sentence.endswith("UTC: a bad import.")


def test_customers_are_not_told_who_has_paused_what_and_why(client, monkeypatch):
    ann = make_user()
    monkeypatch.setattr("proj.jobs.subjects.find", lambda _: Subject("order:1", ann.pk, "/"))
    with without_broker():
        job = add.delay(1)
    pause()

    client.force_login(ann)
    assert (
        client.get(f"/api/v1/jobs/{job.id}").json()["why"]
        == "It waits in default, which is paused for the moment."
    )
    client.force_login(make_user(is_staff=True))
    assert "ann has paused since" in client.get(f"/api/v1/jobs/{job.id}").json()["why"]


def test_a_system_whose_queue_is_paused_is_ready(monkeypatch):
    """Nobody takes from it, as somebody has asked: restarting things would not help."""
    monkeypatch.setattr(health.consumers, "queues", lambda: set(PURPOSES) - {"bulk"})

    with pytest.raises(LookupError, match="no worker consumes bulk"):
        health.check_consumers()
    pause("bulk")
    health.check_consumers()

    monkeypatch.setattr(health.consumers, "queues", lambda: set(PURPOSES) - {"bulk", "compute"})
    with pytest.raises(LookupError, match="no worker consumes compute"):
        health.check_consumers()
