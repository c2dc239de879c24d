import base64
import json

import pytest
from celery import current_app
from django.db import transaction

from orders import pipeline, services, tasks
from orders.models import Order
from orders.services import LineRequest
from orders.states import LIVE, Status, Step
from orders.steps import OrderTask
from proj.queues import NORMAL, URGENT
from tests.factories import make_order, make_product, make_user


@pytest.fixture
def enqueued(waiting):
    """Return a function that takes the messages out of a queue: (task, order id, priority, the messages after it)."""

    def take(queue: str) -> list[tuple]:
        with current_app.connection_for_read() as connection:
            channel = connection.default_channel
            messages = [channel._get(queue) for _ in range(waiting(queue))]
        return [read(message) for message in messages]

    def read(message) -> tuple:
        args, _, embed = json.loads(base64.b64decode(message["body"]))
        after = [name_of(signature) for signature in reversed(embed["chain"] or [])]
        errbacks = [name_of(signature) for signature in embed["errbacks"] or []]
        return message["headers"]["task"], args, message["properties"]["priority"], after, errbacks

    def name_of(signature) -> object:
        if signature["task"] == "celery.group":
            return {part["task"] for part in signature["kwargs"]["tasks"]}
        return signature["task"]

    return take


ENDS = {"orders.notify_customer", "orders.record_sale"}
ABANDON = ["orders.abandon_order"]


@pytest.mark.django_db(transaction=True)
def test_placing_enqueues_the_way_to_payment_and_what_happens_if_it_fails(enqueued):
    make_product("CUP")

    order, _ = services.place_order(make_user(), [LineRequest("CUP", 1)])

    assert enqueued("default") == [
        (
            "orders.validate_order",
            [order.pk],
            NORMAL,
            ["orders.reserve_stock", "orders.charge_order"],
            ABANDON,
        )
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("quantity", "express", "lane"),
    [
        (1, False, ("default", NORMAL)),
        (1, True, ("critical", URGENT)),
        (199, False, ("default", NORMAL)),
        (200, False, ("critical", URGENT)),
    ],
)
def test_an_express_order_and_one_worth_much_take_the_critical_queue(
    enqueued, settings, quantity, express, lane
):
    settings.ORDERS_URGENT_AMOUNT = 500_00
    make_product("CUP", amount=250)

    services.place_order(make_user(), [LineRequest("CUP", quantity)], express=express)

    queue, priority = lane
    assert [message[2] for message in enqueued(queue)] == [priority]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_enqueued_before_the_order_is_committed(enqueued):
    make_product("CUP")

    with transaction.atomic():
        services.place_order(make_user(), [LineRequest("CUP", 1)])
        assert enqueued("default") == []

    assert len(enqueued("default")) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("status", "queue", "first", "then"),
    [
        ("placed", "default", "validate_order", (["orders.reserve_stock", "orders.charge_order"], ABANDON)),
        ("validated", "default", "reserve_stock", (["orders.charge_order"], ABANDON)),
        ("reserved", "io", "charge_order", ([], ABANDON)),
        ("charging", "io", "charge_order", ([], ABANDON)),
        ("paid", "default", "fulfil_order", ([ENDS], [])),
    ],
)
def test_an_order_goes_on_from_where_it_is(enqueued, status, queue, first, then):
    order = make_order(status=Status(status))

    pipeline.resume(order)

    assert enqueued(queue) == [(f"orders.{first}", [order.pk], NORMAL, *then)]
    assert [message for queue in current_app.amqp.queues for message in enqueued(queue)] == []


@pytest.mark.django_db(transaction=True)
def test_a_fulfilled_order_goes_on_with_both_ends(enqueued):
    order = make_order(status=Status.FULFILLED)

    pipeline.resume(order)

    assert enqueued("io") == [("orders.notify_customer", [order.pk], NORMAL, [], [])]
    assert enqueued("default") == [("orders.record_sale", [order.pk], NORMAL, [], [])]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status", sorted(set(Status) - LIVE))
def test_an_order_that_has_ended_enqueues_nothing(enqueued, status):
    pipeline.resume(make_order(status=status))

    assert [message for queue in current_app.amqp.queues for message in enqueued(queue)] == []


def test_every_step_has_its_task_and_every_task_its_step():
    steps = {task.step: task.name for task in current_app.tasks.values() if isinstance(task, OrderTask)}

    assert steps == {
        Step.VALIDATE: "orders.validate_order",
        Step.RESERVE_STOCK: "orders.reserve_stock",
        Step.CHARGE: "orders.charge_order",
        Step.FULFIL: "orders.fulfil_order",
        Step.NOTIFY_CUSTOMER: "orders.notify_customer",
        Step.RECORD_SALE: "orders.record_sale",
    }


@pytest.mark.django_db
def test_the_tasks_in_turn_complete_an_order_and_the_messages_that_come_late_change_nothing():
    order = make_order()
    tasks.validate_order(order.pk)
    tasks.reserve_stock(order.pk)
    order.transition_to(Status.CHARGING, actor="payments")
    services.mark_paid(order)
    tasks.fulfil_order(order.pk)
    tasks.record_sale(order.pk)
    assert tasks.notify_customer(order.pk) == "completed"
    before = (Order.objects.values().get(), list(order.events.values()), list(order.steps.values()))

    late = [
        task(order.pk)
        for task in (
            tasks.validate_order,
            tasks.reserve_stock,
            tasks.fulfil_order,
            tasks.record_sale,
            tasks.notify_customer,
            tasks.abandon_order,
        )
    ]

    assert late == ["completed"] * 6
    assert (Order.objects.values().get(), list(order.events.values()), list(order.steps.values())) == before


@pytest.mark.django_db
def test_a_step_that_failed_for_good_abandons_the_order():
    order = make_order(status=Status.RESERVED)

    assert tasks.abandon_order(order.pk) == "cancelled"

    order.refresh_from_db()
    assert order.reason == "It could not be processed."


@pytest.mark.django_db
def test_the_sweep_takes_its_patience_from_the_settings(settings, monkeypatch):
    asked = []
    monkeypatch.setattr(services, "resume_stuck_orders", lambda **options: asked.append(options) or 3)

    assert tasks.resume_stuck_orders() == 3

    assert asked == [{"older_than": settings.ORDERS_STUCK_AFTER}]
