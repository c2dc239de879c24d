import pytest
from django.db import IntegrityError, transaction
from django.db.models import F

from orders import locks, services
from orders.errors import StockTooLow
from orders.models import StockItem
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


@pytest.mark.django_db
@pytest.mark.parametrize("count", [1, 50])
def test_fulfilling_costs_the_same_queries_however_many_lines(count, django_assert_num_queries):
    order = make_order({make_product(): 1 for _ in range(count)}, status=Status.PAID)

    with django_assert_num_queries(9):  # with one for its subscribers
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


@pytest.mark.django_db
def test_stock_is_locked_while_it_is_counted(django_assert_num_queries):
    cup = make_product()

    with django_assert_num_queries(1) as queries:
        locks.lock_stock(cup.pk)

    assert queries[0]["sql"].endswith("FOR NO KEY UPDATE")
