from functools import partial
from threading import Barrier

import pytest
from django.db import IntegrityError

from orders import locks, services
from orders.models import Order, OrderEvent, StockItem
from orders.states import Status
from tests.factories import make_order, make_product


def stock_of(product) -> tuple[int, int]:
    """On hand and reserved, as stored."""
    return StockItem.objects.values_list("on_hand", "reserved").get(product=product)


@pytest.mark.django_db(transaction=True)
def test_two_hundred_buyers_of_the_last_item_make_one_sale_and_199_clean_refusals(at_once):
    cup = make_product("CUP", on_hand=1)
    orders = [make_order({cup: 1}, status=Status.VALIDATED) for _ in range(200)]

    outcomes = at_once(partial(services.reserve_stock, order.pk) for order in orders)

    statuses = [order.status for order in outcomes]
    assert (statuses.count(Status.RESERVED), statuses.count(Status.OUT_OF_STOCK)) == (1, 199)
    refused = Order.objects.filter(status=Status.OUT_OF_STOCK)
    assert set(refused.values_list("reason", flat=True)) == {"1 of CUP were wanted, 0 are left."}
    assert stock_of(cup) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_reserving_one_order_at_the_same_time_reserves_it_once(at_once):
    cup = make_product(on_hand=100)
    order = make_order({cup: 3}, status=Status.VALIDATED)

    outcomes = at_once([partial(services.reserve_stock, order.pk)] * 20)

    assert [outcome.status for outcome in outcomes] == [Status.RESERVED] * 20
    assert stock_of(cup) == (100, 3)
    assert OrderEvent.objects.filter(order=order, kind="reserved").count() == 1


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_two_buyers_both_see_the_last_item_and_the_constraint_is_what_is_left(
    at_once, monkeypatch
):
    cup = make_product(on_hand=1)
    orders = [make_order({cup: 1}, status=Status.VALIDATED) for _ in range(2)]
    both_have_looked = Barrier(2, timeout=10)

    def look(order):
        stock = list(StockItem.objects.filter(product__order_lines__order=order))
        both_have_looked.wait()
        return stock

    monkeypatch.setattr(locks, "lock_stock_of", look)

    outcomes = at_once(partial(services.reserve_stock, order.pk) for order in orders)

    errors = [outcome for outcome in outcomes if isinstance(outcome, IntegrityError)]
    assert len(errors) == 1
    assert "stock_reserved_on_hand" in str(errors[0])
    assert stock_of(cup) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_orders_for_the_same_products_in_any_order_never_deadlock(at_once):
    products = [make_product(on_hand=1000) for _ in range(6)]
    orders = [
        make_order(dict.fromkeys((products[n % 6 :] + products[: n % 6])[:: (-1) ** n], 1)) for n in range(40)
    ]
    Order.objects.update(status=Status.VALIDATED)

    def live(order):
        services.reserve_stock(order.pk)
        return (
            services.cancel_order(order.pk, actor="ann") if order.pk % 2 else services.reserve_stock(order.pk)
        )

    outcomes = at_once(partial(live, order) for order in orders)

    statuses = [order.status for order in outcomes]
    assert (statuses.count(Status.RESERVED), statuses.count(Status.CANCELLED)) == (20, 20)
    assert [stock_of(product) for product in products] == [(1000, 20)] * 6


@pytest.mark.django_db(transaction=True)
def test_fulfilling_one_order_at_the_same_time_takes_its_goods_once(at_once):
    cup = make_product(on_hand=10)
    order = make_order({cup: 3}, status=Status.PAID)

    outcomes = at_once([partial(services.fulfil_order, order.pk)] * 20)

    assert [outcome.status for outcome in outcomes] == [Status.FULFILLED] * 20
    assert stock_of(cup) == (7, 0)


@pytest.mark.django_db(transaction=True)
def test_counting_while_orders_reserve_loses_no_reservation(at_once):
    cup = make_product(on_hand=1000)
    orders = [make_order({cup: 1}, status=Status.VALIDATED) for _ in range(20)]

    at_once(
        call
        for n, order in enumerate(orders)
        for call in (partial(services.reserve_stock, order.pk), partial(services.set_on_hand, cup, 500 + n))
    )

    assert stock_of(cup)[1] == 20
