from itertools import pairwise

import pytest
from django.db import IntegrityError, transaction

from orders.errors import IllegalTransition
from orders.models import Order, OrderEvent
from orders.states import CANCELLABLE, FINAL, LIVE, TRANSITIONS, Status, StepState
from tests.factories import make_order

pytestmark = pytest.mark.django_db

EVERY_PAIR = [(start, end) for start in Status for end in Status]


@pytest.mark.parametrize(("start", "end"), [pair for pair in EVERY_PAIR if pair[1] in TRANSITIONS[pair[0]]])
def test_what_the_table_allows_happens_and_is_written_down(start, end):
    order = make_order(status=start)
    before = order.events.count()

    assert order.transition_to(end, actor="ann", reason="because", detail={"n": 1, "nothing": ""}) is True

    stored = Order.objects.get(pk=order.pk)
    assert (stored.status, order.status) == (end, end)
    assert stored.reason == ("because" if end in FINAL else "")
    assert stored.updated_at > order.placed_at
    event = order.events.last()
    assert order.events.count() == before + 1
    assert (event.kind, event.from_status, event.to_status, event.actor) == (end, start, end, "ann")
    assert event.detail == {"n": 1, "reason": "because"}


@pytest.mark.parametrize(
    ("start", "end"),
    [pair for pair in EVERY_PAIR if pair[0] != pair[1] and pair[1] not in TRANSITIONS[pair[0]]],
)
def test_what_the_table_does_not_allow_is_refused_and_changes_nothing(start, end):
    order = make_order(status=start)
    before = (Order.objects.values().get(pk=order.pk), order.events.count(), list(order.steps.values()))

    with pytest.raises(IllegalTransition, match=f"order {order.pk} cannot go from {start} to {end}"):
        order.transition_to(end, actor="ann")

    assert (
        Order.objects.values().get(pk=order.pk),
        order.events.count(),
        list(order.steps.values()),
    ) == before


@pytest.mark.parametrize("status", Status)
def test_moving_to_where_the_order_is_does_nothing_and_says_so(status):
    order = make_order(status=status)
    before = (Order.objects.values().get(pk=order.pk), order.events.count())

    assert order.transition_to(status, actor="ann") is False

    assert (Order.objects.values().get(pk=order.pk), order.events.count()) == before


def test_the_stored_status_counts_and_not_the_one_in_memory():
    order = make_order()
    stale = Order.objects.get(pk=order.pk)
    order.transition_to(Status.CANCELLED, actor="ann")

    with pytest.raises(IllegalTransition):
        stale.transition_to(Status.VALIDATED, actor="system")

    assert stale.status == Status.CANCELLED


@pytest.mark.django_db(transaction=True)
def test_a_transition_outside_a_transaction_is_refused():
    order = make_order()

    with pytest.raises(transaction.TransactionManagementError):
        order.transition_to(Status.VALIDATED, actor="system")

    assert Order.objects.get(pk=order.pk).status == Status.PLACED
    assert OrderEvent.objects.filter(order=order).count() == 1


def test_the_life_of_an_order_is_the_documented_one():
    life = ["placed", "validated", "reserved", "charging", "paid", "fulfilled", "completed"]

    assert all(later in TRANSITIONS[Status(earlier)] for earlier, later in pairwise(life))
    assert sorted(FINAL) == [
        "cancelled",
        "completed",
        "out_of_stock",
        "payment_failed",
        "refunded",
        "rejected",
    ]
    assert sorted(LIVE) == ["charging", "fulfilled", "paid", "placed", "reserved", "validated"]
    assert sorted(CANCELLABLE) == ["charging", "paid", "placed", "reserved", "validated"]


def test_the_database_knows_no_other_status():
    order = make_order()

    with pytest.raises(IntegrityError, match="order_status_known"), transaction.atomic():
        Order.objects.filter(pk=order.pk).update(status="lost")


@pytest.mark.parametrize(
    ("status", "running", "waiting"),
    [
        (Status.REJECTED, StepState.FAILED, StepState.CANCELLED),
        (Status.CANCELLED, StepState.CANCELLED, StepState.CANCELLED),
    ],
)
def test_an_early_end_settles_every_step(status, running, waiting):
    order = make_order()
    order.steps.filter(name="validate").update(state=StepState.RUNNING)

    order.transition_to(status, actor="ann", reason="No more.")

    states = dict(order.steps.values_list("name", "state"))
    assert states.pop("validate") == running
    assert set(states.values()) == {waiting}


def test_a_reason_longer_than_the_order_keeps_is_cut_there_and_whole_in_the_event():
    order = make_order()

    order.transition_to(Status.REJECTED, actor="ann", reason="x" * 501)

    assert Order.objects.get().reason == "x" * 500
    assert order.events.last().detail == {"reason": "x" * 501}
