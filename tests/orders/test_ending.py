from functools import partial
from threading import Barrier, local

import pytest
from django.db import transaction

from orders import locks, services
from orders.errors import TooLate
from orders.models import Order, OrderEvent, StockItem
from orders.states import CANCELLABLE, Status
from tests.factories import make_order, make_product

BEYOND = sorted(set(Status) - CANCELLABLE - {Status.CANCELLED})


def reserved(product) -> int:
    return StockItem.objects.get(product=product).reserved


@pytest.mark.django_db
@pytest.mark.parametrize("status", sorted(CANCELLABLE))
def test_an_order_can_be_cancelled_until_its_payment_is_started_and_gives_its_stock_back(status):
    cup = make_product(on_hand=10, reserved=1)
    order = make_order({cup: 2}, status=status)

    order = services.cancel_order(order.pk, actor="ann", reason="Too expensive.")

    assert (order.status, order.reason) == (Status.CANCELLED, "Too expensive.")
    assert reserved(cup) == 1
    assert order.events.last().actor == "ann"
    assert set(order.steps.values_list("state", flat=True)) == {"cancelled"}


@pytest.mark.django_db
@pytest.mark.parametrize("status", BEYOND)
def test_cancelling_later_is_refused_with_the_reason_and_changes_nothing(status):
    cup = make_product(on_hand=10)
    order = make_order({cup: 2}, status=status)
    before = (reserved(cup), order.events.count())

    with pytest.raises(TooLate) as refusal:
        services.cancel_order(order.pk, actor="ann")

    assert refusal.value.detail.startswith("It")
    assert Order.objects.get(pk=order.pk).status == status
    assert (reserved(cup), order.events.count()) == before


@pytest.mark.django_db
def test_cancelling_twice_changes_nothing_the_second_time():
    cup = make_product(on_hand=10)
    order = make_order({cup: 2}, status=Status.RESERVED)
    services.cancel_order(order.pk, actor="ann", reason="First.")

    order = services.cancel_order(order.pk, actor="bob", reason="Second.")

    assert (order.status, order.reason, reserved(cup)) == (Status.CANCELLED, "First.", 0)
    assert order.events.filter(kind="cancelled").count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("status", sorted(CANCELLABLE))
def test_an_order_is_abandoned_and_gives_its_stock_back(status):
    cup = make_product(on_hand=10)
    order = make_order({cup: 2}, status=status)

    order = services.abandon_order(order.pk, reason="It could not be processed.")

    assert (order.status, order.reason, reserved(cup)) == (Status.CANCELLED, "It could not be processed.", 0)
    assert order.events.last().actor == "system"


@pytest.mark.django_db
@pytest.mark.parametrize("status", [*BEYOND, Status.CANCELLED])
def test_an_order_whose_payment_was_started_is_never_abandoned(status):
    cup = make_product(on_hand=10)
    order = make_order({cup: 2}, status=status)
    before = (reserved(cup), order.events.count())

    assert services.abandon_order(order.pk, reason="It could not be processed.").status == status

    assert (reserved(cup), order.events.count()) == before


def start_charging(order: Order) -> bool:
    """As the payments do it: only a reserved order is charged."""
    with transaction.atomic():
        locked = locks.lock_order(order.pk)
        return locked.status == Status.RESERVED and locked.transition_to(Status.CHARGING, actor="payments")


@pytest.mark.django_db(transaction=True)
def test_cancelling_while_the_charge_starts_is_either_in_time_or_too_late(at_once):
    cup = make_product(on_hand=1000)
    orders = [make_order({cup: 1}, status=Status.RESERVED) for _ in range(20)]

    outcomes = at_once(
        call
        for order in orders
        for call in (partial(services.cancel_order, order.pk, "ann"), partial(start_charging, order))
    )

    for order, cancelled, charging in zip(orders, outcomes[::2], outcomes[1::2], strict=True):
        order.refresh_from_db()
        if charging is True:
            assert (order.status, type(cancelled)) == (Status.CHARGING, TooLate)
        else:
            assert (order.status, cancelled.status) == (Status.CANCELLED, Status.CANCELLED)
    assert reserved(cup) == Order.objects.filter(status=Status.CHARGING).count()


@pytest.mark.django_db(transaction=True)
def test_cancelling_while_stock_is_reserved_leaves_nothing_held(at_once):
    cup = make_product(on_hand=1000)
    orders = [make_order({cup: 1}, status=Status.VALIDATED) for _ in range(20)]

    outcomes = at_once(
        call
        for order in orders
        for call in (
            partial(services.reserve_stock, order.pk),
            partial(services.cancel_order, order.pk, "ann"),
        )
    )

    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    assert set(Order.objects.values_list("status", flat=True)) == {Status.CANCELLED}
    assert reserved(cup) == 0


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_cancelling_while_stock_is_reserved_leaves_stock_held(at_once, monkeypatch):
    cup = make_product(on_hand=1000)
    order = make_order({cup: 1}, status=Status.VALIDATED)
    both_have_looked = Barrier(2, timeout=10)
    mine = local()

    def look(order_id):
        if not hasattr(mine, "order"):
            mine.order = Order.objects.get(pk=order_id)
            both_have_looked.wait()
        return mine.order

    monkeypatch.setattr(locks, "lock_order", look)

    at_once([partial(services.reserve_stock, order.pk), partial(services.cancel_order, order.pk, "ann")])

    assert OrderEvent.objects.filter(order=order, kind="cancelled").count() == 1
    assert reserved(cup) == 1
