"""The page of one queue: who may switch it, what two people do to each other, and what lies in Redis."""

import pytest
from django.test import Client
from kombu.exceptions import OperationalError

from proj.console import queue_page
from proj.jobs import pausing
from proj.jobs.audit import Actor
from proj.jobs.models import AuditEntry, Job, PausedQueue
from tests.console.people import member
from tests.jobs.broker import owe

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/admin/queues/default/"


@pytest.fixture
def operator(client):
    user = member("operators")
    client.force_login(user)
    return user


def send(client, **fields):
    page = client.post(PAGE, fields, follow=True)
    return [str(message) for message in page.context["messages"]]


def test_an_operator_pauses_and_resumes_with_a_reason(client, operator):
    assert send(client, switch="pause", reason=" a bad import ") == [
        "Queue default is paused: workers let go of it within seconds."
    ]
    row = PausedQueue.objects.get()
    assert (row.queue, row.by, row.reason) == ("default", operator.username, "a bad import")
    assert "a bad import" in client.get(PAGE).content.decode()

    assert send(client, switch="resume", reason="") == ["Queue default is resumed."]
    assert not PausedQueue.objects.exists()
    said = AuditEntry.objects.order_by("pk").values_list("actor_id", "action", "origin")
    assert list(said) == [(operator.pk, "queue.pause", "admin"), (operator.pk, "queue.resume", "admin")]


def test_the_second_of_two_is_told_that_it_is_done(client, operator):
    pausing.pause("default", by=Actor("ann", None, "admin"), reason="first")

    assert send(client, switch="pause", reason="second") == ["Queue default was paused already."]
    assert PausedQueue.objects.get().reason == "first"
    send(client, switch="resume")
    assert send(client, switch="resume") == ["Queue default was not paused."]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"switch": "pause", "reason": " "}, "Say why: somebody else will want to know."),
        ({"switch": "pause"}, "Say why: somebody else will want to know."),
        ({"switch": "stop", "reason": "x"}, "Nothing was done: pause or resume?"),
        ({}, "Nothing was done: pause or resume?"),
    ],
)
def test_what_makes_no_sense_changes_nothing(client, operator, fields, told):
    assert send(client, **fields) == [told]
    assert (PausedQueue.objects.count(), AuditEntry.objects.count()) == (0, 0)


@pytest.mark.parametrize("switch", ["pause", "resume"])
def test_who_may_only_look_switches_nothing(client, switch):
    client.force_login(member("operators (view)"))
    if switch == "resume":
        PausedQueue.objects.create(queue="default", by="ann", reason="x")
    before = PausedQueue.objects.count()

    assert client.post(PAGE, {"switch": switch, "reason": "x"}).status_code == 403

    assert (PausedQueue.objects.count(), AuditEntry.objects.count()) == (before, 0)
    assert 'name="switch"' not in client.get(PAGE).content.decode()


def test_a_switch_takes_a_token_against_forgery(operator):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(operator)

    assert strict.post(PAGE, {"switch": "pause", "reason": "x"}).status_code == 403
    assert not PausedQueue.objects.exists()


def test_a_queue_that_there_is_not_has_no_page_unless_it_is_paused(client, operator):
    assert client.get("/admin/queues/old/").status_code == 404
    assert client.post("/admin/queues/old/", {"switch": "pause", "reason": "x"}).status_code == 404

    PausedQueue.objects.create(queue="old", by="ann", reason="x")
    assert client.get("/admin/queues/old/").status_code == 200


def test_what_lies_in_redis_is_shown_and_stays_there(client, operator, waiting):
    first, second = owe(2)
    Job.objects.filter(pk=second).delete()

    page = client.get(PAGE)

    assert [(held.id, job and job.pk) for held, job in page.context["held"]] == [
        (first, first),
        (second, None),
    ]
    text = page.content.decode()
    assert f"/admin/jobs/job/{first}/change/" in text
    assert "not owed: it is dropped when it is taken" in text
    assert waiting("default") == 2


def test_no_more_messages_are_looked_at_than_anybody_reads(client, operator, waiting, monkeypatch):
    monkeypatch.setattr(queue_page, "PEEKED", 3)
    jobs = owe(5)

    assert [held.id for held, _ in client.get(PAGE).context["held"]] == jobs[:3]


def test_a_broker_that_is_away_is_said(client, operator, monkeypatch):
    def away(*_):
        raise OperationalError("refused")

    monkeypatch.setattr("proj.jobs.broker.Broker.peek", away)

    assert "The broker does not answer." in client.get(PAGE).content.decode()
