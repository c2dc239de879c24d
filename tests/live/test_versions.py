"""A version is another one whenever anything changed that is shown; `ended` says that nothing is to come."""

from datetime import date

import pytest
from django.utils import timezone

from media.live import AVATAR
from media.models import Avatar, Thumbnail
from orders.live import ORDER
from orders.payments.models import AttemptState, RefundState
from orders.states import FINAL, Status, Step, StepState
from reports.live import REPORT
from reports.models import Report
from tests.factories import make_order, make_payment, make_refund, make_user

pytestmark = pytest.mark.django_db


def state(kind, row):
    return kind.read([row.pk])[row.pk]


def test_what_is_gone_is_left_out_and_nobody_is_mixed_up():
    one, other = make_order(), make_order(status=Status.CANCELLED)

    states = ORDER.read([one.pk, other.pk, other.pk + 1])

    assert {key: state.status for key, state in states.items()} == {one.pk: "placed", other.pk: "cancelled"}
    assert ORDER.read([]) == {}


def test_reading_twice_gives_the_same_version():
    order = make_order()
    make_refund(make_payment(order), 100)

    assert state(ORDER, order) == state(ORDER, order)


@pytest.mark.parametrize(
    "change",
    [
        lambda order: order.transition_to(Status.VALIDATED, actor="system"),
        lambda order: order.steps.filter(name=Step.VALIDATE).update(state=StepState.RUNNING),
        lambda order: order.steps.filter(name=Step.CHARGE).update(attempt=2),
        lambda order: order.steps.filter(name=Step.CHARGE).update(error="It did not answer."),
        lambda order: order.payment_attempts.update(provider_ref="pi_1"),
        lambda order: make_refund(order.payment_attempts.get(), 1),
        lambda order: order.payment_attempts.get().refunds.update(state=RefundState.FAILED),
    ],
)
def test_each_change_of_an_order_is_a_version_of_its_own(change):
    order = make_order()
    make_refund(make_payment(order), 100)
    before = state(ORDER, order)

    change(order)

    assert state(ORDER, order).version != before.version


@pytest.mark.parametrize("status", sorted(Status))
def test_an_order_has_ended_with_its_last_status(status):
    assert state(ORDER, make_order(status=status)).ended == (status in FINAL)


@pytest.mark.parametrize("attempt", sorted(AttemptState))
def test_but_not_while_nobody_knows_whether_it_was_paid(attempt):
    order = make_order(status=Status.CANCELLED)
    make_payment(order, state=attempt)

    assert state(ORDER, order).ended == (attempt not in {"sent", "unknown"})


@pytest.mark.parametrize("refund", sorted(RefundState))
def test_nor_while_money_is_on_its_way_back(refund):
    order = make_order(status=Status.CANCELLED)
    make_refund(make_payment(order), 100, state=refund)

    assert state(ORDER, order).ended == (refund not in {"requested", "unknown"})


def test_a_report_tells_its_progress_and_its_end():
    report = Report.objects.create(date_from=date(2026, 1, 1), date_to=date(2026, 1, 2), progress_total=2)
    versions = [state(REPORT, report)]

    Report.objects.update(status="running", progress_done=1)
    versions.append(state(REPORT, report))
    Report.objects.update(status="failed", finished_at=timezone.now())
    versions.append(state(REPORT, report))

    assert [(version.status, version.ended) for version in versions] == [
        ("queued", False),
        ("running", False),
        ("failed", True),
    ]
    assert len({version.version for version in versions}) == 3


@pytest.mark.parametrize("status", sorted(Avatar.Status))
def test_an_avatar_tells_its_thumbnails_as_they_appear_and_its_end(status):
    avatar = Avatar.objects.create(owner=make_user(), status=status, digest="", bytes=1)
    before = state(AVATAR, avatar)

    Thumbnail.objects.create(
        avatar=avatar, size=64, format="webp", file="a.webp", width=64, height=64, bytes=1
    )

    assert state(AVATAR, avatar).version != before.version
    assert before.ended == (status not in {"queued", "processing"})
