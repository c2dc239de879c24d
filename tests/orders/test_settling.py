from functools import partial

import pytest
from django.db import transaction

from orders import services
from orders.errors import IllegalTransition
from orders.models import Order, OrderEvent, StockItem
from orders.states import Status
from tests.factories import make_order, make_product


def settle(order, outcome):
    with transaction.atomic():
        return outcome(Order.objects.get(pk=order.pk))


paid = partial(services.mark_paid, provider_ref="pi_1")
declined = partial(services.mark_payment_failed, reason="Your card was declined.", code="card_declined")


@pytest.mark.django_db(transaction=True)
def test_a_paid_order_goes_on(waiting):
    cup = make_product(on_hand=10)
    order = make_order({cup: 2}, status=Status.CHARGING)
    order.steps.filter(name="charge").update(state="failed", error="timeout")

    assert settle(order, paid) is True

    order.refresh_from_db()
    assert (order.status, order.events.last().detail) == (Status.PAID, {"provider_ref": "pi_1"})
    assert list(order.steps.filter(name="charge").values_list("state", "error")) == [("succeeded", "")]
    assert (waiting("default"), waiting("io")) == (1, 1)  # to fulfil it, and the mail
    assert list(order.notifications.values_list("kind", flat=True)) == ["paid"]
    assert StockItem.objects.get().reserved == 2


@pytest.mark.django_db(transaction=True)
def test_learning_twice_that_an_order_is_paid_changes_nothing_the_second_time(waiting, at_once):
    order = make_order(status=Status.CHARGING)

    outcomes = at_once([partial(settle, order, paid)] * 10)

    assert sorted(outcomes) == [False] * 9 + [True]
    assert OrderEvent.objects.filter(order=order, kind="paid").count() == 1
    assert waiting("default") == 1


@pytest.mark.django_db(transaction=True)
def test_a_payment_that_is_rolled_back_enqueues_nothing(waiting):
    order = make_order(status=Status.CHARGING)

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        services.mark_paid(order)
        raise ZeroDivisionError

    order.refresh_from_db()
    assert (order.status, waiting("default")) == (Status.CHARGING, 0)


@pytest.mark.django_db(transaction=True)
def test_a_declined_order_ends_and_gives_its_stock_back_once(waiting, at_once):
    cup = make_product(on_hand=10, reserved=5)
    order = make_order({cup: 2}, status=Status.CHARGING)
    order.steps.filter(name="charge").update(state="running")

    outcomes = at_once([partial(settle, order, declined)] * 10)

    order.refresh_from_db()
    assert sorted(outcomes) == [False] * 9 + [True]
    assert (order.status, order.reason) == (Status.PAYMENT_FAILED, "Your card was declined.")
    assert order.events.last().detail == {"code": "card_declined", "reason": "Your card was declined."}
    assert list(order.steps.values_list("name", "state", "error"))[2:] == [
        ("charge", "failed", "Your card was declined."),
        ("fulfil", "cancelled", ""),
        ("notify_customer", "cancelled", ""),
        ("record_sale", "cancelled", ""),
    ]
    assert StockItem.objects.get().reserved == 5
    assert (waiting("default"), waiting("io")) == (0, 1)  # the mail
    assert list(order.notifications.values_list("kind", flat=True)) == ["payment_failed"]


@pytest.mark.django_db
@pytest.mark.parametrize("outcome", [paid, declined])
@pytest.mark.parametrize("status", [Status.PLACED, Status.RESERVED, Status.CANCELLED, Status.FULFILLED])
def test_a_payment_nobody_started_is_refused(outcome, status):
    order = make_order(status=status)
    stock = StockItem.objects.values().get()

    with pytest.raises(IllegalTransition):
        outcome(order)

    assert (Order.objects.get().status, StockItem.objects.values().get()) == (status, stock)
