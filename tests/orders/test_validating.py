from functools import partial

import pytest

from orders import services
from orders.models import Order, OrderEvent, Product
from orders.states import Status
from tests.factories import make_order, make_product

pytestmark = pytest.mark.django_db


def test_an_order_that_is_in_order_is_validated():
    order = make_order()

    assert services.validate_order(order.pk).status == Status.VALIDATED


def test_an_order_with_a_product_that_is_no_longer_sold_is_rejected():
    order = make_order({make_product("CUP"): 1, make_product("POT"): 1})
    Product.objects.filter(sku="POT").update(active=False)

    order = services.validate_order(order.pk)

    assert (order.status, order.reason) == (Status.REJECTED, "POT is no longer sold.")


def test_an_order_whose_lines_do_not_add_up_is_rejected():
    order = make_order({make_product(amount=250): 2}, amount=499)

    order = services.validate_order(order.pk)

    assert (order.status, order.reason) == (Status.REJECTED, "Its lines do not add up to its amount.")


def test_a_price_that_has_changed_since_is_the_customers_luck():
    order = make_order({make_product(amount=250): 2})
    Product.objects.update(amount=9999)

    order = services.validate_order(order.pk)

    assert (order.status, order.amount) == (Status.VALIDATED, 500)


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.PLACED}))
def test_validating_at_any_other_time_does_nothing(status):
    order = make_order(status=status)
    Product.objects.update(active=False)
    before = order.events.count()

    assert services.validate_order(order.pk).status == status

    assert order.events.count() == before


@pytest.mark.parametrize("count", [1, 50])
def test_validating_costs_the_same_queries_however_many_lines(count, django_assert_num_queries):
    order = make_order({make_product(): 1 for _ in range(count)})

    with django_assert_num_queries(7):
        services.validate_order(order.pk)


def test_an_order_that_does_not_exist_is_an_error():
    with pytest.raises(Order.DoesNotExist):
        services.validate_order(0)


@pytest.mark.django_db(transaction=True)
def test_validating_one_order_at_the_same_time_validates_it_once(at_once):
    order = make_order()

    outcomes = at_once([partial(services.validate_order, order.pk)] * 20)

    assert [outcome.status for outcome in outcomes] == [Status.VALIDATED] * 20
    assert OrderEvent.objects.filter(order=order, kind="validated").count() == 1
