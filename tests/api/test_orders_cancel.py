"""Calling orders off through the API."""

import pytest
from django.contrib.auth.models import User

from orders.payments.models import AttemptState, Refund
from orders.states import CANCELLABLE, Status
from proj.jobs.testing import assert_enqueued, enqueued, without_broker
from tests.api.calls import ORDERS, assert_problem, post
from tests.factories import make_order, make_payment, make_product, make_refund, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def shopper() -> User:
    return make_user("shopper")


def cancel(client, shopper, order):
    with without_broker():
        return post(client, shopper, None, path=f"{ORDERS}/{order.public_id}/cancel")


@pytest.mark.parametrize("status", sorted(CANCELLABLE))
def test_an_order_can_be_cancelled_until_its_goods_leave(client, shopper, status):
    product = make_product(on_hand=5)
    order = make_order({product: 2}, customer=shopper, status=status)
    responses = [cancel(client, shopper, order) for _ in range(2)]
    assert [response.status_code for response in responses] == [202, 202]
    assert responses[0].json() == responses[1].json()
    assert (responses[0].json()["status"], responses[0].json()["reason"]) == (
        "cancelled",
        "Cancelled by the customer.",
    )
    product.stock.refresh_from_db()
    assert (product.stock.on_hand, product.stock.reserved) == (5, 0)


@pytest.mark.parametrize("status", sorted(set(Status) - CANCELLABLE - {Status.CANCELLED}))
def test_after_that_it_is_too_late_and_the_reason_is_given(client, shopper, status):
    order = make_order(customer=shopper, status=status)
    before = order.events.count()
    problem = assert_problem(cancel(client, shopper, order), 409, "too_late")
    assert problem["detail"].startswith("The order cannot be cancelled. It")
    order.refresh_from_db()
    assert (order.status, order.events.count()) == (status, before)


def test_cancelling_a_paid_order_asks_for_all_of_its_money_back_once(client, shopper):
    order = make_order(customer=shopper, status=Status.PAID)
    make_refund(make_payment(order), 200)

    responses = [cancel(client, shopper, order) for _ in range(2)]

    assert [response.status_code for response in responses] == [202, 202]
    for body in (response.json() for response in responses):
        assert (body["status"], body["amount"], body["refunded"]) == ("cancelled", 500, 200)
        assert [(refund["amount"], refund["state"], refund["reason"]) for refund in body["refunds"]] == [
            (200, "succeeded", "It came broken."),
            (300, "requested", "Cancelled by the customer."),
        ]
    refund = Refund.objects.first()
    assert_enqueued("payments.send_refund", args=[refund.pk])
    assert len(enqueued("payments.send_refund")) == 1


@pytest.mark.parametrize("state", [AttemptState.SENT, AttemptState.UNKNOWN])
def test_cancelling_while_the_payment_is_under_way_leaves_its_outcome_open(client, shopper, state):
    order = make_order(customer=shopper, status=Status.CHARGING)
    payment = make_payment(order, state=state)

    response = cancel(client, shopper, order)

    assert (response.status_code, response.json()["status"], response.json()["refunds"]) == (
        202,
        "cancelled",
        [],
    )
    payment.refresh_from_db()
    assert (payment.state, Refund.objects.count()) == (state, 0)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (Status.FULFILLED, "It is on its way."),
        (Status.COMPLETED, "It is complete."),
        (Status.REFUNDED, "It has ended: the money has been given back."),
    ],
)
def test_who_is_too_late_reads_why(client, shopper, status, reason):
    order = make_order(customer=shopper, status=status)

    problem = assert_problem(cancel(client, shopper, order), 409, "too_late")

    assert problem["detail"] == f"The order cannot be cancelled. {reason}"
    assert Refund.objects.count() == 0
