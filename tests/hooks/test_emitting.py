"""An event is owed in the transaction that it tells of, to whoever wants it, once."""

import json
import uuid
from datetime import datetime, timezone

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from orders import webhooks
from orders.states import Status
from proj.hooks import kinds
from proj.hooks.emitting import UnaccompaniedError, emit, event_id
from proj.hooks.endpoints import create_endpoint
from proj.hooks.models import Delivery
from proj.hooks.switching import switch_off_by_hand
from proj.jobs import ledger
from proj.jobs.models import Job
from proj.jobs.testing import without_broker
from tests.factories import make_order, make_user

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 1, 12, 30, tzinfo=timezone.utc)
URL = "https://example.com/hooks"


def emit_paid(owner, key="test:1", **data):
    return emit(owner.pk, "order.paid", data, key=key, at=AT)


def test_an_event_is_a_delivery_and_a_job(endpoint, ann):
    with without_broker():
        assert emit_paid(ann, id="42") == 1

    delivery = endpoint.deliveries.get()
    assert delivery.event_id == event_id("test:1")
    assert "." not in delivery.event_id
    assert json.loads(delivery.body) == {
        "type": "order.paid",
        "timestamp": "2026-03-01T12:30:00Z",
        "data": {"id": "42"},
    }
    job = Job.objects.get()
    assert (job.task, job.queue, job.subject) == ("hooks.deliver", "hooks", f"delivery:{delivery.pk}")


def test_emitting_for_nobody_costs_one_query(ann):
    with CaptureQueriesContext(connection) as queries:
        assert emit_paid(ann) == 0

    assert len(queries) == 1


@pytest.mark.parametrize("count", [1, 3, 10])
def test_emitting_costs_two_queries_however_many_endpoints(ann, count, monkeypatch):
    for _ in range(count):
        create_endpoint(ann, URL, ["order.paid"])
    record, recorded = ledger.record, []
    monkeypatch.setattr(ledger, "record", lambda entries: recorded.append(len(entries)) or record(entries))

    with CaptureQueriesContext(connection) as queries, without_broker():
        assert emit_paid(ann) == count

    assert len(queries) == 1  # and the ledger's, a prepared statement, which is not seen here
    assert recorded == [count]
    assert Job.objects.count() == count


def test_an_event_that_is_not_told_costs_nothing(ann, django_assert_num_queries):
    order = make_order(customer=ann)

    with django_assert_num_queries(1):
        order.note("resumed", actor="system")


def test_only_who_owns_the_event_and_wants_its_kind_is_told(endpoint, ann):
    others, _ = create_endpoint(make_user(), URL, ["order.paid"])
    other_kind, _ = create_endpoint(ann, URL, ["order.cancelled"])
    off, _ = create_endpoint(ann, URL, ["order.paid"])
    switch_off_by_hand(off.pk, "Enough.")

    emit_paid(ann)

    assert endpoint.deliveries.count() == 1
    assert [e.deliveries.count() for e in (others, other_kind, off)] == [0, 0, 0]


def test_the_same_event_is_owed_once(endpoint, ann):
    assert [emit_paid(ann), emit_paid(ann)] == [1, 0]

    assert (Delivery.objects.count(), Job.objects.count()) == (1, 1)


def test_a_kind_that_nobody_registered_is_a_mistake(endpoint, ann):
    with pytest.raises(KeyError):
        emit(ann.pk, "order.teleported", {}, key="test:1", at=AT)

    assert not Delivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_not_told(endpoint, ann):
    with pytest.raises(RuntimeError), transaction.atomic():
        emit_paid(ann)
        raise RuntimeError

    assert not Delivery.objects.exists()
    assert not Job.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_without_a_transaction_nothing_is_emitted(endpoint, ann):
    with pytest.raises(UnaccompaniedError):
        emit_paid(ann)

    assert not Delivery.objects.exists()


def test_every_event_that_orders_tell_of_can_be_subscribed_to():
    assert {f"order.{name}" for name in webhooks.TOLD} <= kinds.subscribable().keys()
    assert kinds.PING not in kinds.subscribable()
    assert {str(s) for s in Status} - webhooks.TOLD.keys() == {"validated", "reserved", "charging"}


def test_an_order_tells_what_happens_to_it(ann):
    endpoint, _ = create_endpoint(ann, URL, list(kinds.subscribable()))

    order = make_order(customer=ann, status=Status.COMPLETED)

    bodies = [json.loads(body) for body in endpoint.deliveries.order_by("pk").values_list("body", flat=True)]
    assert [body["type"] for body in bodies] == [
        "order.placed",
        "order.paid",
        "order.fulfilled",
        "order.completed",
    ]
    assert bodies[1]["data"] == {
        "id": str(order.public_id),
        "status": "paid",
        "amount": order.amount,
        "currency": "GBP",
        "reason": "",
    }
    paid = order.events.get(kind="paid")
    assert datetime.fromisoformat(bodies[1]["timestamp"]).replace(microsecond=0) == paid.created_at.replace(
        microsecond=0
    )


def test_a_part_that_goes_back_and_all_of_it_are_two_events(ann):
    endpoint, _ = create_endpoint(ann, URL, ["order.refund_succeeded", "order.refunded"])
    order = make_order(customer=ann, status=Status.CANCELLED)
    detail = {"amount": 100, "currency": "GBP", "refund": 7, "provider_ref": "re_1", "via": "reply"}

    order.note("refunded", actor="payments", detail=detail)
    order.transition_to(Status.REFUNDED, actor="payments")

    part, whole = (
        json.loads(body) for body in endpoint.deliveries.order_by("pk").values_list("body", flat=True)
    )
    assert (part["type"], whole["type"]) == ("order.refund_succeeded", "order.refunded")
    assert part["data"]["refund"] == {"amount": 100, "currency": "GBP"}
    assert "re_1" not in str(part)


def test_the_example_of_a_kind_has_the_fields_that_are_sent(ann):
    endpoint, _ = create_endpoint(ann, URL, list(kinds.subscribable()))
    order = make_order(customer=ann, status=Status.CANCELLED)
    order.note("refund_failed", actor="payments", detail={"amount": 1, "currency": "GBP", "reason": "No."})

    for delivery in endpoint.deliveries.all():
        data = json.loads(delivery.body)["data"]
        assert data.keys() == kinds.registered()[delivery.kind].example.keys()
        assert uuid.UUID(data["id"]) == order.public_id
