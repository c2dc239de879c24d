from datetime import timedelta
from functools import partial

import pytest
from django.db import transaction
from django.utils import timezone

from orders import locks, pipeline, services
from orders.models import Order
from orders.payments.incidents import close_incident, open_incident
from orders.payments.models import IncidentKind
from orders.states import FINAL, LIVE, Status
from proj.jobs.models import Job
from tests.factories import make_order

AN_HOUR = timedelta(hours=1)


@pytest.fixture
def resumed(monkeypatch) -> list[tuple[int, str]]:
    """Return what the sweep enqueues, instead of enqueuing it."""
    orders = []
    monkeypatch.setattr(pipeline, "resume", lambda order: orders.append((order.pk, order.status)))
    return orders


def make_old_order(**fields) -> Order:
    order = make_order(**fields)
    Order.objects.filter(pk=order.pk).update(updated_at=timezone.now() - 2 * AN_HOUR)
    return order


@pytest.mark.django_db
@pytest.mark.parametrize("status", sorted(LIVE))
def test_an_order_that_has_not_moved_is_set_going_again(resumed, status):
    order = make_old_order(status=status)

    assert services.resume_stuck_orders(AN_HOUR) == 1

    assert resumed == [(order.pk, status)]


@pytest.mark.django_db
@pytest.mark.parametrize("status", sorted(FINAL))
def test_an_order_that_has_ended_is_left_in_peace(resumed, status):
    make_old_order(status=status)

    assert services.resume_stuck_orders(AN_HOUR) == 0

    assert resumed == []


@pytest.mark.django_db
def test_an_order_that_moved_a_moment_ago_is_left_alone(resumed):
    make_order()

    assert services.resume_stuck_orders(AN_HOUR) == 0

    assert resumed == []


@pytest.mark.django_db
def test_an_order_is_set_going_once_in_the_time_and_not_with_every_sweep(resumed):
    make_old_order()

    assert [services.resume_stuck_orders(AN_HOUR) for _ in range(3)] == [1, 0, 0]

    assert len(resumed) == 1


@pytest.mark.django_db
def test_a_sweep_is_bounded_and_begins_with_the_oldest(resumed):
    orders = [make_old_order() for _ in range(3)]
    Order.objects.filter(pk=orders[2].pk).update(updated_at=timezone.now() - 3 * AN_HOUR)

    assert services.resume_stuck_orders(AN_HOUR, limit=1) == 1

    assert resumed == [(orders[2].pk, "placed")]


@pytest.mark.django_db
def test_an_order_that_is_owed_a_job_is_not_stuck_however_long_it_waits(resumed):
    waiting, dead, lost = make_old_order(), make_old_order(), make_old_order()
    for order, state in ((waiting, "queued"), (dead, "dead")):
        Job.objects.create(
            id=f"job of {order.pk}",
            task="t",
            queue="io",
            priority=5,
            message={},
            subject=f"order:{order.pk}",
            state=state,
        )

    assert services.resume_stuck_orders(AN_HOUR) == 2

    assert {pk for pk, _ in resumed} == {dead.pk, lost.pk}


@pytest.mark.django_db(transaction=True)
def test_an_order_that_somebody_works_on_is_left_out(resumed, at_once):
    held, free = make_old_order(), make_old_order()

    with transaction.atomic():
        locks.lock_order(held.pk)
        (count,) = at_once([partial(services.resume_stuck_orders, AN_HOUR)])

    assert (count, resumed) == (1, [(free.pk, "placed")])


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_the_same_time_enqueue_an_order_once(resumed, at_once):
    orders = [make_old_order() for _ in range(10)]

    counts = at_once([partial(services.resume_stuck_orders, AN_HOUR)] * 8)

    assert sum(counts) == 10
    assert sorted(resumed) == [(order.pk, Status.PLACED) for order in orders]


@pytest.mark.django_db(transaction=True)
def test_a_sweep_that_is_rolled_back_enqueues_nothing(waiting):
    make_old_order()

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        services.resume_stuck_orders(AN_HOUR)
        raise ZeroDivisionError

    assert waiting("default") == 0
    assert services.resume_stuck_orders(AN_HOUR) == 1
    assert waiting("default") == 1


@pytest.mark.django_db
def test_while_the_provider_refuses_our_requests_no_payment_is_tried_and_then_all_go_on(resumed):
    charging = make_old_order(status=Status.CHARGING)
    paid = make_old_order(status=Status.PAID)
    incident = open_incident(IncidentKind.MISCONFIGURED, "stripe", summary="No such key.")

    assert services.resume_stuck_orders(AN_HOUR) == 1
    close_incident(incident, actor="ann", outcome="The key is right again.")
    assert services.resume_stuck_orders(AN_HOUR) == 1

    assert resumed == [(paid.pk, Status.PAID), (charging.pk, Status.CHARGING)]
