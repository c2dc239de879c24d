"""Following orders through the API, and whose they are."""

import uuid

import pytest
from django.contrib.auth.models import User

from orders.payments.models import RefundState
from orders.states import Status
from tests.api.calls import ORDERS, assert_problem, bearer, get, post
from tests.factories import make_order, make_payment, make_product, make_refund, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def shopper() -> User:
    return make_user("shopper")


def test_a_list_has_the_callers_own_orders_newest_first_in_pages(client, shopper):
    mine = [str(make_order(customer=shopper).public_id) for _ in range(5)]
    make_order()
    first = get(client, shopper, ORDERS, limit=3).json()
    second = get(client, shopper, ORDERS, limit=3, cursor=first["next"]).json()
    assert [item["id"] for item in first["items"] + second["items"]] == mine[::-1]
    assert second["next"] is None
    assert sorted(first["items"][0]) == [
        "amount",
        "currency",
        "express",
        "id",
        "placed_at",
        "reason",
        "refunded",
        "status",
        "updated_at",
    ]


def test_a_list_can_be_narrowed_to_a_status(client, shopper):
    make_order(customer=shopper)
    ended = make_order(customer=shopper, status=Status.OUT_OF_STOCK)
    assert [item["id"] for item in get(client, shopper, ORDERS, status="out_of_stock").json()["items"]] == [
        str(ended.public_id)
    ]
    assert_problem(get(client, shopper, ORDERS, status="lost"), 422, "invalid")


def test_an_order_shows_what_happened_and_why_it_ended(client, shopper):
    order = make_order(customer=shopper, status=Status.PAYMENT_FAILED)
    order.steps.filter(name="charge").update(state="failed", attempt=2, error="Declined.")
    body = get(client, shopper, f"{ORDERS}/{order.public_id}").json()
    assert (body["status"], body["reason"]) == ("payment_failed", "Declined.")
    charge = body["steps"][2]
    assert (charge["name"], charge["state"], charge["attempt"], charge["error"]) == (
        "charge",
        "failed",
        2,
        "Declined.",
    )
    assert [event["to_status"] for event in body["events"]] == [
        "placed",
        "validated",
        "reserved",
        "charging",
        "payment_failed",
    ]
    assert body["events"][-1]["reason"] == "Declined."


@pytest.mark.parametrize("status", Status)
def test_every_status_can_be_read(client, shopper, status):
    order = make_order(customer=shopper, status=status)
    assert get(client, shopper, f"{ORDERS}/{order.public_id}").json()["status"] == status


@pytest.mark.parametrize("count", [1, 20])
def test_reading_costs_the_same_however_long_the_order_is(client, shopper, count, django_assert_num_queries):
    order = make_order({make_product(): 1 for _ in range(count)}, customer=shopper)
    payment = make_payment(order)
    for _ in range(count):
        make_refund(payment, 1)
        make_refund(make_payment(make_order(customer=shopper)), 1)
    headers = bearer(shopper)
    # the token, the order, its lines, steps, events, payments and refunds, and whether it waits in a paused queue
    with django_assert_num_queries(8):
        client.get(f"{ORDERS}/{order.public_id}", headers=headers)
    with django_assert_num_queries(4):  # the token, the orders, their payments and refunds
        client.get(ORDERS, headers=headers)


def test_an_order_shows_what_goes_back_and_how_far_that_is(client, shopper):
    order = make_order({make_product(amount=1000): 1}, customer=shopper, status=Status.COMPLETED)
    payment = make_payment(order)
    refunds = [make_refund(payment, 100 + n, state=state) for n, state in enumerate(RefundState)]

    body = get(client, shopper, f"{ORDERS}/{order.public_id}").json()

    assert [(refund["amount"], refund["state"]) for refund in body["refunds"]] == [
        (100, "requested"),
        (101, "unknown"),
        (102, "succeeded"),
        (103, "failed"),
    ]
    assert body["refunds"][0] == {
        "amount": 100,
        "state": "requested",
        "reason": "It came broken.",
        "created_at": refunds[0].created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    assert (body["amount"], body["refunded"]) == (1000, 102)
    assert get(client, shopper, ORDERS).json()["items"][0]["refunded"] == 102


def test_an_order_without_refunds_says_so(client, shopper):
    order = make_order(customer=shopper)
    body = get(client, shopper, f"{ORDERS}/{order.public_id}").json()
    assert (body["refunded"], body["refunds"]) == (0, [])


def test_a_refunded_order_can_be_looked_for(client, shopper):
    make_order(customer=shopper, status=Status.COMPLETED)
    refunded = make_order(customer=shopper, status=Status.REFUNDED)
    items = get(client, shopper, ORDERS, status="refunded").json()["items"]
    assert [item["id"] for item in items] == [str(refunded.public_id)]


@pytest.mark.parametrize("staff", [False, True])
def test_an_order_of_somebody_else_does_not_exist(client, staff):
    order = make_order()
    stranger = make_user(is_staff=staff, is_superuser=staff)
    path = f"{ORDERS}/{order.public_id}"
    nothing = assert_problem(get(client, stranger, f"{ORDERS}/{uuid.uuid4()}"), 404, "not_found")
    theirs = assert_problem(get(client, stranger, path), 404, "not_found")
    assert nothing | {"instance": ""} == theirs | {"instance": ""}
    assert_problem(post(client, stranger, None, path=f"{path}/cancel"), 404, "not_found")
    order.refresh_from_db()
    assert order.status == Status.PLACED


def test_an_id_that_is_none_is_refused(client, shopper):
    assert get(client, shopper, f"{ORDERS}/{10**30}").status_code in {404, 422}
