from functools import partial
from threading import Barrier

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F

from orders import locks, services
from orders.errors import StockTooLow
from orders.models import Order, OrderEvent, StockItem
from orders.states import Status
from tests.factories import make_order, make_product


def stock_of(product) -> tuple[int, int]:
    """On hand and reserved, as stored."""
    return StockItem.objects.values_list("on_hand", "reserved").get(product=product)


@pytest.mark.django_db
def test_reserving_holds_every_line():
    cup, pot = make_product(on_hand=5, reserved=1), make_product(on_hand=2)
    order = make_order({cup: 4, pot: 1}, status=Status.VALIDATED)

    assert services.reserve_stock(order.pk).status == Status.RESERVED

    assert (stock_of(cup), stock_of(pot)) == ((5, 5), (2, 1))


@pytest.mark.django_db
def test_an_order_that_cannot_be_had_as_a_whole_holds_nothing():
    cup, pot = make_product("CUP", on_hand=50), make_product("POT", on_hand=5, reserved=3)
    order = make_order({cup: 1, pot: 3}, status=Status.VALIDATED)

    order = services.reserve_stock(order.pk)

    assert (order.status, order.reason) == (Status.OUT_OF_STOCK, "3 of POT were wanted, 2 are left.")
    assert (stock_of(cup), stock_of(pot)) == ((50, 0), (5, 3))


@pytest.mark.django_db
def test_a_product_that_was_never_stocked_is_out_of_stock():
    cup = make_product("CUP")
    StockItem.objects.filter(product=cup).delete()
    order = make_order({cup: 1}, status=Status.VALIDATED)

    order = services.reserve_stock(order.pk)

    assert (order.status, order.reason) == (Status.OUT_OF_STOCK, "1 of CUP were wanted, 0 are left.")


@pytest.mark.django_db
@pytest.mark.parametrize("status", sorted(set(Status) - {Status.VALIDATED}))
def test_reserving_at_any_other_time_does_nothing(status):
    cup = make_product()
    order = make_order({cup: 2}, status=status)
    before = (stock_of(cup), order.events.count())

    assert services.reserve_stock(order.pk).status == status

    assert (stock_of(cup), order.events.count()) == before


@pytest.mark.django_db
@pytest.mark.parametrize("count", [1, 50])
def test_reserving_costs_the_same_queries_however_many_lines(count, django_assert_num_queries):
    order = make_order({make_product(): 1 for _ in range(count)}, status=Status.VALIDATED)

    with django_assert_num_queries(9):  # 2 for the transaction, 3 locks, lines, stock, order, event
        services.reserve_stock(order.pk)


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


@pytest.mark.django_db
def test_fulfilling_takes_the_goods_out_of_both_counts():
    cup, pot = make_product(on_hand=10), make_product(on_hand=3, reserved=1)
    order = make_order({cup: 4, pot: 2}, status=Status.PAID)

    assert services.fulfil_order(order.pk).status == Status.FULFILLED

    assert (stock_of(cup), stock_of(pot)) == ((6, 0), (1, 1))


@pytest.mark.django_db
@pytest.mark.parametrize("status", sorted(set(Status) - {Status.PAID}))
def test_fulfilling_at_any_other_time_does_nothing(status):
    cup = make_product()
    order = make_order({cup: 2}, status=status)
    before = (stock_of(cup), order.events.count())

    assert services.fulfil_order(order.pk).status == status

    assert (stock_of(cup), order.events.count()) == before


@pytest.mark.django_db(transaction=True)
def test_fulfilling_one_order_at_the_same_time_takes_its_goods_once(at_once):
    cup = make_product(on_hand=10)
    order = make_order({cup: 3}, status=Status.PAID)

    outcomes = at_once([partial(services.fulfil_order, order.pk)] * 20)

    assert [outcome.status for outcome in outcomes] == [Status.FULFILLED] * 20
    assert stock_of(cup) == (7, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("count", [1, 50])
def test_fulfilling_costs_the_same_queries_however_many_lines(count, django_assert_num_queries):
    order = make_order({make_product(): 1 for _ in range(count)}, status=Status.PAID)

    with django_assert_num_queries(8):
        services.fulfil_order(order.pk)


@pytest.mark.django_db
def test_a_count_of_the_stock_changes_what_is_on_hand_and_nothing_else():
    cup = make_product(on_hand=10, reserved=4)

    services.set_on_hand(cup, 4)

    assert stock_of(cup) == (4, 4)


@pytest.mark.django_db
@pytest.mark.parametrize("on_hand", [3, 0, -1])
def test_a_count_below_what_orders_hold_is_refused(on_hand):
    cup = make_product("CUP", on_hand=10, reserved=4)

    with pytest.raises(StockTooLow, match="4 of CUP are reserved for orders"):
        services.set_on_hand(cup, on_hand)

    assert stock_of(cup) == (10, 4)


@pytest.mark.django_db
def test_a_first_count_opens_the_stock_of_a_product():
    cup = make_product()
    StockItem.objects.filter(product=cup).delete()

    services.set_on_hand(cup, 7)

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


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"reserved": F("on_hand") + 1}, "stock_reserved_on_hand"),
        ({"on_hand": -1}, "on_hand_check"),
        ({"reserved": -1}, "reserved_check"),
    ],
)
def test_the_database_itself_refuses_impossible_stock(changes, constraint):
    make_product()

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        StockItem.objects.update(**changes)


@pytest.mark.django_db
def test_stock_is_locked_by_sku_whatever_the_order_of_the_lines(django_assert_num_queries):
    order = make_order({make_product("B"): 1, make_product("C"): 1, make_product("A"): 1})

    with django_assert_num_queries(1) as queries:
        stock = locks.lock_stock_of(order)

    assert [item.product.sku for item in stock] == ["A", "B", "C"]
    assert queries[0]["sql"].endswith(
        'ORDER BY "orders_product"."sku" ASC FOR NO KEY UPDATE OF "orders_stockitem"'
    )
