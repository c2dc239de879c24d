import json

import pytest
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from orders.payments import views
from orders.payments.models import EventState, WebhookEvent
from proj.jobs.models import Job
from proj.jobs.testing import assert_enqueued
from tests.orders.payments.signed import ADDRESS, SECRET, assert_nothing_is_stored, deliver, event, send, sign

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _secret(settings, waiting) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]


@pytest.fixture
def document() -> dict:
    return event("payment_intent.succeeded", "pi_1")


def test_an_event_is_stored_as_it_came_and_looked_into_by_a_job(client, document):
    answer = deliver(client, document)
    assert (answer.status_code, answer.content) == (200, b"received\n")
    stored = WebhookEvent.objects.get()
    assert (stored.provider, stored.event_id, stored.kind) == ("stripe", document["id"], document["type"])
    assert (stored.object_ref, stored.payload, stored.state) == ("pi_1", document, EventState.RECEIVED)
    assert int(stored.created_at.timestamp()) == document["created"]
    assert_enqueued("payments.process_event", args=[stored.pk], queue="io")


class Counting:
    """A request's body of so many bytes, which knows how many were read."""

    def __init__(self, size: int) -> None:
        self.left, self.read_so_far = size, 0

    def read(self, size: int = -1) -> bytes:
        size = self.left if size < 0 else min(size, self.left)
        self.left, self.read_so_far = self.left - size, self.read_so_far + size
        return b"x" * size

    readline = read


def test_ten_megabytes_are_refused_without_being_read(client):
    stream = Counting(10 * 1024 * 1024)
    environ = {"wsgi.input": stream, "CONTENT_LENGTH": str(stream.left)}
    assert client.post(ADDRESS, **environ).status_code == 413
    assert stream.read_so_far == 0
    assert_nothing_is_stored()


@pytest.mark.parametrize("announced", ["", "0", "100", "-1", "many"])
def test_whatever_a_request_says_of_its_length_no_more_of_it_is_read(client, announced):
    stream = Counting(10 * 1024 * 1024)
    environ = {"wsgi.input": stream, "CONTENT_LENGTH": announced}
    assert client.post(ADDRESS, **environ).status_code in {400, 413}
    assert stream.read_so_far <= 100
    assert_nothing_is_stored()


def test_the_largest_event_is_taken_and_one_byte_more_is_not(client, document):
    document["data"]["object"]["padding"] = ""
    document["data"]["object"]["padding"] = "x" * (views.MOST - len(json.dumps(document)))
    body = json.dumps(document)
    assert len(body) == views.MOST
    assert send(client, body, sign(body)).status_code == 200
    assert send(client, body + " ", sign(body + " ")).status_code == 413


def test_it_is_not_read_by_a_browser(client):
    assert client.get(ADDRESS).status_code == 405


def test_no_token_is_asked_for(document):
    assert deliver(Client(enforce_csrf_checks=True), document).status_code == 200


def test_a_kind_that_means_nothing_to_us_is_stored_and_ignored(client):
    assert deliver(client, event("customer.created", "cus_1")).status_code == 200
    stored = WebhookEvent.objects.get()
    assert (stored.state, stored.detail) == (EventState.IGNORED, "Of a kind that we do not use.")
    assert stored.settled_at is not None
    assert Job.objects.count() == 0


def test_an_object_without_an_id_is_stored_and_ignored(client):
    document = event("balance.available", "")
    del document["data"]["object"]["id"]
    assert deliver(client, document).status_code == 200
    assert WebhookEvent.objects.get().object_ref == ""


def test_an_event_that_comes_again_changes_nothing(client, document):
    deliver(client, document)
    answer = deliver(client, {**document, "type": "payment_intent.canceled"})
    assert (answer.status_code, answer.content) == (200, b"known\n")
    assert WebhookEvent.objects.get().kind == "payment_intent.succeeded"
    assert Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_event_that_comes_ten_times_at_once_is_stored_once(document, at_once):
    answers = at_once([lambda: deliver(Client(), document)] * 10)
    assert [answer.status_code for answer in answers] == [200] * 10
    assert sorted(answer.content for answer in answers) == [b"known\n"] * 9 + [b"received\n"]
    assert WebhookEvent.objects.count() == 1
    assert Job.objects.count() == 1


def test_the_event_and_its_job_are_stored_together_or_not_at_all(client, document, monkeypatch):
    def refuse(*args, **options):
        raise RuntimeError("the job cannot be recorded")

    monkeypatch.setattr("orders.payments.receiving._enqueue", refuse)
    client.raise_request_exception = False
    assert deliver(client, document).status_code == 500
    assert_nothing_is_stored()


@pytest.mark.django_db(transaction=True)
def test_a_database_that_does_not_let_us_write_is_a_reason_to_send_it_again(client, document):
    other = connections.create_connection("default")
    other.set_autocommit(False)
    other.cursor().execute("LOCK TABLE payments_webhookevent IN ACCESS EXCLUSIVE MODE")
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")
    try:
        answer = deliver(client, document)
    finally:
        other.rollback()
        other.close()
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
    assert (answer.status_code, answer["Retry-After"]) == (503, views.RETRY_AFTER)
    assert_nothing_is_stored()
    assert deliver(client, document).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_is_a_reason_to_send_it_again(client, document, monkeypatch):
    connection.close()
    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "PORT", "1")
        answer = deliver(client, document)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    connection.close()
    assert_nothing_is_stored()


def queries_of(client, document) -> list[str]:
    """The first words of the queries of a webhook; the ledger's own one, which records the job, does not count."""
    with CaptureQueriesContext(connection) as queries:
        assert deliver(client, document).status_code == 200
    return [query["sql"].split()[0] for query in queries if "SAVEPOINT" not in query["sql"]]


@pytest.mark.django_db(transaction=True)
def test_a_webhook_costs_two_queries_and_one_that_is_known_costs_one(client, document):
    assert queries_of(client, document) == ["BEGIN", "SELECT", "INSERT", "COMMIT"]
    assert queries_of(client, document) == ["BEGIN", "SELECT", "COMMIT"]
