from functools import partial

import pytest
from django.db import IntegrityError

from orders import errors, services
from orders.models import IdempotencyKey, Order, OrderEvent, OrderLine, Product
from orders.services import LineRequest
from tests.factories import make_product, make_user

pytestmark = pytest.mark.django_db


def test_the_same_key_and_request_return_the_order_it_placed():
    ann, cup = make_user(), make_product()
    make_product("TEA")
    lines = [LineRequest(cup.sku, 2), LineRequest("TEA", 1)]
    first = services.place_order(ann, lines, idempotency_key="k")
    Product.objects.update(amount=1, active=False)

    again = services.place_order(ann, lines[::-1], idempotency_key="k")

    assert (again.order, again.created) == (first.order, False)
    assert (Order.objects.count(), OrderEvent.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("quantity", "options"),
    [(3, {}), (2, {"express": True}), (2, {"payment_method": "pm_card_chargeDeclined"})],
)
def test_the_same_key_for_another_request_is_refused(quantity, options):
    ann, cup = make_user(), make_product()
    services.place_order(ann, [LineRequest(cup.sku, 2)], idempotency_key="k")

    with pytest.raises(errors.IdempotencyMismatch):
        services.place_order(ann, [LineRequest(cup.sku, quantity)], idempotency_key="k", **options)

    assert Order.objects.count() == 1


def test_a_key_belongs_to_its_customer():
    cup = make_product()
    lines = [LineRequest(cup.sku, 1)]

    placed = [services.place_order(make_user(), lines, idempotency_key="k") for _ in range(2)]

    assert [p.created for p in placed] == [True, True]


def test_a_refused_request_leaves_its_key_free():
    ann = make_user()
    with pytest.raises(errors.UnknownProduct):
        services.place_order(ann, [LineRequest("CUP", 1)], idempotency_key="k")
    make_product("CUP")

    assert services.place_order(ann, [LineRequest("CUP", 1)], idempotency_key="k").created is True


@pytest.mark.django_db(transaction=True)
def test_fifty_parallel_requests_with_one_key_make_one_order(at_once, waiting):
    ann, cup = make_user(), make_product()
    request = partial(services.place_order, ann, [LineRequest(cup.sku, 1)], idempotency_key="k")

    outcomes = at_once([request] * 50)

    assert sorted(placed.created for placed in outcomes) == [False] * 49 + [True]
    assert {placed.order.pk for placed in outcomes} == {Order.objects.get().pk}
    assert (OrderLine.objects.count(), OrderEvent.objects.count(), IdempotencyKey.objects.count()) == (
        1,
        1,
        1,
    )
    assert waiting("default") == 1


@pytest.mark.django_db(transaction=True)
def test_without_the_key_the_same_requests_make_fifty_orders(at_once, waiting):
    ann, cup = make_user(), make_product()

    at_once([partial(services.place_order, ann, [LineRequest(cup.sku, 1)])] * 50)

    assert (Order.objects.count(), waiting("default")) == (50, 50)


@pytest.mark.django_db(transaction=True)
def test_parallel_requests_for_different_things_with_one_key_make_one_order(at_once, waiting):
    ann, cup = make_user(), make_product()

    outcomes = at_once(
        partial(services.place_order, ann, [LineRequest(cup.sku, n % 2 + 1)], idempotency_key="k")
        for n in range(20)
    )

    kinds = [type(outcome).__name__ for outcome in outcomes]
    assert (kinds.count("Placed"), kinds.count("IdempotencyMismatch")) == (10, 10)
    assert Order.objects.count() == 1


def test_the_database_itself_refuses_a_second_use_of_a_key():
    ann = make_user()
    IdempotencyKey.objects.create(customer=ann, key="k", fingerprint="a")

    with pytest.raises(IntegrityError, match="idempotency_key_once_per_customer"):
        IdempotencyKey.objects.create(customer=ann, key="k", fingerprint="b")
