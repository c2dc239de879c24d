from functools import partial
from threading import Barrier, local

import pytest
from django.db import transaction

from orders import locks, services
from orders.errors import TooLate
from orders.models import Order, OrderEvent, Product, StockItem
from orders.payments.models import PaymentAttempt, Refund
from orders.services import ending
from orders.states import CANCELLABLE, UNCHARGED, Status
from proj.jobs.models import Job
from tests.factories import make_order, make_product

BEYOND = sorted(set(Status) - CANCELLABLE - {Status.CANCELLED})


def reserved(product) -> int:
    return StockItem.objects.get(product=product).reserved


def make_paid_order(product: Product, quantity: int = 2, **fields) -> Order:
    """A paid order with the attempt that has captured its money."""
    order = make_order({product: quantity}, status=Status.PAID, **fields)
    PaymentAttempt.objects.create(
        order=order,
        number=1,
        idempotency_key=f"order-{order.public_id}-1",
        amount=order.amount,
        currency=order.currency,
        state="succeeded",
        provider_ref=f"pi_{order.pk}",
    )
    return order


@pytest.mark.django_db
@pytest.mark.parametrize("status", sorted(CANCELLABLE - {Status.PAID}))
def test_an_order_can_be_cancelled_until_its_goods_have_left_and_gives_its_stock_back(status):
    cup = make_product(on_hand=10, reserved=1)
    order = make_order({cup: 2}, status=status)

    order = services.cancel_order(order.pk, actor="ann", reason="Too expensive.")

    assert (order.status, order.reason) == (Status.CANCELLED, "Too expensive.")
    assert reserved(cup) == 1
    assert order.events.last().actor == "ann"
    assert set(order.steps.values_list("state", flat=True)) == {"cancelled"}
    assert Refund.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_paid_order_that_is_cancelled_gives_its_stock_and_all_of_its_money_back(waiting):
    cup = make_product(on_hand=10, reserved=1)
    order = make_paid_order(cup)

    order = services.cancel_order(order.pk, actor="ann", reason="Too expensive.")

    assert (order.status, reserved(cup)) == (Status.CANCELLED, 1)
    refund = Refund.objects.get()
    assert (refund.amount, refund.state) == (500, "requested")
    assert (refund.reason, refund.requested_by) == ("Too expensive.", "ann")
    assert order.payment_attempts.get().refunded == 500
    assert list(order.events.values_list("kind", flat=True))[-2:] == ["cancelled", "refund_requested"]
    assert waiting("io") == 1
    assert Job.objects.filter(task="payments.send_refund", subject=f"refund:{refund.pk}").count() == 1


@pytest.mark.django_db
def test_a_paid_order_whose_refund_cannot_be_stored_is_not_cancelled(monkeypatch):
    def break_(*_arguments, **_fields):
        raise ZeroDivisionError

    cup = make_product(on_hand=10)
    order = make_paid_order(cup)
    monkeypatch.setattr(ending, "request_refund", break_)
    with pytest.raises(ZeroDivisionError):
        services.cancel_order(order.pk, actor="ann")
    order.refresh_from_db()
    assert (order.status, reserved(cup)) == (Status.PAID, 2)


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["sent", "unknown"])
def test_an_order_that_is_cancelled_while_it_is_charged_leaves_its_payment_open(state):
    cup = make_product(on_hand=10)
    order = make_order({cup: 2}, status=Status.CHARGING)
    attempt = PaymentAttempt.objects.create(
        order=order, number=1, idempotency_key="k", amount=500, currency="GBP", state=state
    )

    order = services.cancel_order(order.pk, actor="ann")

    attempt.refresh_from_db()
    assert (order.status, reserved(cup), attempt.state) == (Status.CANCELLED, 0, state)
    assert Refund.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_paid_order_that_is_cancelled_ten_times_at_once_is_refunded_once(at_once):
    cup = make_product(on_hand=10)
    order = make_paid_order(cup)

    outcomes = at_once([partial(services.cancel_order, order.pk, "ann")] * 10)

    assert {outcome.status for outcome in outcomes} == {Status.CANCELLED}
    assert list(Refund.objects.values_list("amount", flat=True)) == [500]
    assert reserved(cup) == 0


@pytest.mark.django_db(transaction=True)
def test_cancelling_while_the_goods_leave_is_either_in_time_or_too_late(at_once):
    cup = make_product(on_hand=1000)
    orders = [make_paid_order(cup, 1) for _ in range(20)]

    outcomes = at_once(
        call
        for order in orders
        for call in (
            partial(services.cancel_order, order.pk, "ann"),
            partial(services.fulfil_order, order.pk),
        )
    )

    for order, cancelled in zip(orders, outcomes[::2], strict=True):
        order.refresh_from_db()
        refunds = Refund.objects.filter(attempt__order=order).count()
        if isinstance(cancelled, TooLate):
            assert (order.status, refunds) == (Status.FULFILLED, 0)
        else:
            assert (order.status, refunds) == (Status.CANCELLED, 1)
    left = Order.objects.filter(status=Status.FULFILLED).count()
    assert (StockItem.objects.get(product=cup).on_hand, reserved(cup)) == (1000 - left, 0)


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
@pytest.mark.parametrize("status", sorted(UNCHARGED))
def test_an_order_is_abandoned_and_gives_its_stock_back(status):
    cup = make_product(on_hand=10)
    order = make_order({cup: 2}, status=status)

    order = services.abandon_order(order.pk, reason="It could not be processed.")

    assert (order.status, order.reason, reserved(cup)) == (Status.CANCELLED, "It could not be processed.", 0)
    assert order.events.last().actor == "system"


@pytest.mark.django_db
@pytest.mark.parametrize("status", sorted(set(Status) - UNCHARGED))
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
def test_cancelling_while_the_charge_starts_always_cancels_and_leaves_nothing_held(at_once):
    cup = make_product(on_hand=1000)
    orders = [make_order({cup: 1}, status=Status.RESERVED) for _ in range(20)]

    outcomes = at_once(
        call
        for order in orders
        for call in (partial(services.cancel_order, order.pk, "ann"), partial(start_charging, order))
    )

    assert {outcome.status for outcome in outcomes[::2]} == {Status.CANCELLED}
    assert set(outcomes[1::2]) <= {True, False}
    assert set(Order.objects.values_list("status", flat=True)) == {Status.CANCELLED}
    assert reserved(cup) == 0


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
