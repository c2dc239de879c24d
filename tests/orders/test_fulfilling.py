from datetime import UTC, date, datetime
from functools import partial

import pytest
from django.db import transaction
from django.utils import timezone

from orders import services
from orders.models import Notification, OrderEvent, Sale
from orders.states import Status
from tests.factories import make_order, make_product


@pytest.mark.django_db
def test_a_sale_is_recorded_on_the_day_the_order_was_placed():
    placed_at = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
    cup, pot = make_product(amount=250), make_product(amount=1000)
    order = make_order({cup: 3, pot: 2}, status=Status.FULFILLED, placed_at=placed_at)

    services.record_sale(order.pk)

    assert Sale.objects.values_list("order", "day", "amount", "currency", "items").get() == (
        order.pk,
        date(2026, 3, 1),
        2750,
        "GBP",
        5,
    )


@pytest.mark.django_db
@pytest.mark.parametrize("status", sorted(set(Status) - {Status.FULFILLED}))
def test_recording_at_any_other_time_does_nothing(status):
    order = make_order(status=status)
    before = list(Sale.objects.values())

    assert services.record_sale(order.pk).status == status

    assert list(Sale.objects.values()) == before


@pytest.mark.django_db
def test_an_order_is_complete_when_both_ends_are_done_in_either_order():
    first, second = make_order(status=Status.FULFILLED), make_order(status=Status.FULFILLED)

    states = [
        services.record_sale(first.pk).status,
        services.notify_customer(first.pk).status,
        services.notify_customer(second.pk).status,
        services.record_sale(second.pk).status,
    ]

    assert states == [Status.FULFILLED, Status.COMPLETED, Status.FULFILLED, Status.COMPLETED]


@pytest.mark.django_db(transaction=True)
def test_both_ends_at_the_same_time_complete_every_order_once(at_once):
    orders = [make_order(status=Status.FULFILLED) for _ in range(15)]

    outcomes = at_once(
        partial(end, order.pk) for order in orders for end in (services.record_sale, services.notify_customer)
    )

    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    for order in orders:
        order.refresh_from_db()
        assert order.status == Status.COMPLETED
        assert order.events.filter(kind="completed").count() == 1


@pytest.mark.django_db(transaction=True)
def test_recording_at_the_same_time_records_one_sale(at_once):
    order = make_order(status=Status.FULFILLED)

    outcomes = at_once([partial(services.record_sale, order.pk)] * 20)

    assert [outcome.status for outcome in outcomes] == [Status.FULFILLED] * 20
    assert Sale.objects.count() == 1


@pytest.mark.django_db
def test_a_claimed_mail_that_was_not_sent_completes_nothing():
    order = make_order(status=Status.FULFILLED)
    Notification.objects.create(order=order, kind="fulfilled", claimed_at=timezone.now())

    assert services.record_sale(order.pk).status == Status.FULFILLED


@pytest.mark.django_db
def test_completing_twice_says_that_nothing_happened():
    order = make_order(status=Status.COMPLETED)

    with transaction.atomic():
        assert services.complete_if_done(order) is False

    assert OrderEvent.objects.filter(order=order, kind="completed").count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("count", [1, 50])
def test_recording_costs_the_same_queries_however_many_lines(count, django_assert_num_queries):
    order = make_order({make_product(): 1 for _ in range(count)}, status=Status.FULFILLED)

    with django_assert_num_queries(10):
        services.record_sale(order.pk)
