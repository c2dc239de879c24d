"""The buttons on an order's page in the admin: each is there for who may, and says why when it cannot be pressed."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils.html import escape

from orders import services
from orders.errors import NotStuck
from orders.models import Order
from orders.payments.models import AttemptState, RefundState
from orders.states import FINAL, LIVE, Status
from proj.jobs.models import AuditEntry, Job, State
from proj.jobs.testing import assert_enqueued, enqueued, without_broker
from tests.factories import make_order, make_payment, make_refund, make_user

pytestmark = pytest.mark.django_db

ORDERS = reverse("admin:orders_order_changelist")
CANCEL, REFUND, RESUME = "cancel", "refund", "resume"


def operations(client, order) -> dict[str, str]:
    response = client.get(reverse("admin:orders_order_change", args=[order.pk]))
    shown = {operation.name: operation.refusal for operation in response.context["operations"]}
    for name, refusal in shown.items():
        assert (f'disabled aria-describedby="why-not-{name}"' in response.text) == bool(refusal)
        assert (f"Not now: {escape(refusal)}" in response.text) or not refusal
    return shown


def resume(client, *orders):
    with without_broker():
        return client.post(
            ORDERS, {"action": "resume", "_selected_action": [order.pk for order in orders]}, follow=True
        )


def owe(order, state=State.QUEUED) -> Job:
    return Job.objects.create(
        id=f"job {order.pk}",
        task="t",
        queue="io",
        priority=5,
        message={},
        subject=f"order:{order.pk}",
        state=state,
    )


@pytest.mark.parametrize(
    ("status", "payment", "refusals"),
    [
        (Status.PLACED, None, ("", "Nothing was paid.", "")),
        (Status.CHARGING, AttemptState.UNKNOWN, ("", "Its payment has no outcome yet.", "")),
        (Status.PAID, AttemptState.SUCCEEDED, ("", "", "")),
        (Status.FULFILLED, AttemptState.SUCCEEDED, ("It is on its way.", "", "")),
        (Status.COMPLETED, AttemptState.SUCCEEDED, ("It is complete.", "", "It has ended.")),
        (
            Status.CANCELLED,
            AttemptState.SENT,
            ("It is cancelled.", "Its payment has no outcome yet.", "It has ended."),
        ),
        (
            Status.PAYMENT_FAILED,
            AttemptState.DECLINED,
            ("It has ended: the payment failed.", "Nothing was paid.", "It has ended."),
        ),
    ],
)
def test_what_cannot_be_done_is_shown_disabled_with_its_reason(boss, status, payment, refusals):
    order = make_order(status=status)
    if payment is not None:
        make_payment(order, state=payment)

    assert operations(boss, order) == dict(zip((CANCEL, REFUND, RESUME), refusals, strict=True))


def test_nothing_is_left_to_give_back_once_all_of_it_is_under_way(boss):
    order = make_order(status=Status.COMPLETED)
    payment = make_payment(order)
    make_refund(payment, 400)
    make_refund(payment, 100, state=RefundState.REQUESTED)

    assert operations(boss, order)[REFUND] == "All of £5.00 has gone back, or is about to."


@pytest.mark.parametrize(
    ("permission", "name"), [("cancel_order", CANCEL), ("refund_order", REFUND), ("operate_job", RESUME)]
)
def test_who_may_do_one_thing_sees_one_button(client, permission, name):
    staff = make_user(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["view_order", permission]))
    client.force_login(staff)

    assert set(operations(client, make_order())) == {name}


@pytest.mark.parametrize("status", sorted(LIVE))
def test_an_order_whose_job_has_died_is_set_going_again(boss, status):
    order = make_order(status=status)
    owe(order, State.DEAD)

    response = resume(boss, order)

    assert [str(message) for message in response.context["messages"]] == [f"Set going again: {order.pk}."]
    assert {job.subject for job in enqueued()} == {f"order:{order.pk}"}
    order.refresh_from_db()
    assert (order.status, order.events.last().kind, order.events.last().actor) == (status, "resumed", "boss")
    assert AuditEntry.objects.get().action == "order.resume"


def test_an_order_that_is_charged_is_asked_for_again_with_the_same_key(boss):
    order = make_order(status=Status.CHARGING)
    make_payment(order, state=AttemptState.UNKNOWN)

    resume(boss, order)

    assert_enqueued("orders.charge_order", args=[order.pk])
    assert order.payment_attempts.count() == 1


def test_an_order_that_is_owed_a_job_or_has_ended_is_not(boss):
    waiting, ended, stuck = make_order(), make_order(status=Status.COMPLETED), make_order()
    owe(waiting)

    response = resume(boss, waiting, ended, stuck)

    why = "Its next step is waiting for a worker or a next try, or is running"
    assert [str(message) for message in response.context["messages"]] == [
        f"Set going again: {stuck.pk}.",
        f"Not set going again: {waiting.pk} ({why}), {ended.pk} (It has ended).",
    ]
    assert [job.subject for job in enqueued("orders.validate_order")] == [f"order:{stuck.pk}"]
    assert AuditEntry.objects.count() == 1


def test_setting_an_order_going_twice_enqueues_it_once(boss):
    order = make_order()

    for _ in range(2):
        resume(boss, order)

    assert len(enqueued()) == 1


@pytest.mark.parametrize("status", sorted(FINAL))
def test_the_service_itself_refuses_an_order_that_has_ended(status):
    order = make_order(status=status)
    before = order.events.count()

    with pytest.raises(NotStuck, match="It has ended"):
        services.resume_order(order.pk, actor="boss")

    assert (order.events.count(), enqueued()) == (before, [])


def test_staff_who_may_not_operate_jobs_cannot_set_orders_going(client):
    staff = make_user(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["view_order", "cancel_order"]))
    client.force_login(staff)
    order = make_order()

    resume(client, order)

    assert (enqueued(), Order.objects.get().events.count()) == ([], 1)
