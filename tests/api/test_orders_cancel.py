"""Calling orders off through the API."""

import pytest
from django.contrib.auth.models import User

from orders.states import CANCELLABLE, Status
from tests.api.calls import ORDERS, assert_problem, post
from tests.factories import make_order, make_product, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def shopper() -> User:
    return make_user("shopper")


@pytest.mark.parametrize("status", sorted(CANCELLABLE))
def test_an_order_can_be_cancelled_until_its_payment_starts(client, shopper, status):
    product = make_product(on_hand=5)
    order = make_order({product: 2}, customer=shopper, status=status)
    responses = [post(client, shopper, None, path=f"{ORDERS}/{order.public_id}/cancel") for _ in range(2)]
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
    problem = assert_problem(
        post(client, shopper, None, path=f"{ORDERS}/{order.public_id}/cancel"), 409, "too_late"
    )
    assert problem["detail"].startswith("The order cannot be cancelled. It")
    order.refresh_from_db()
    assert (order.status, order.events.count()) == (status, before)
