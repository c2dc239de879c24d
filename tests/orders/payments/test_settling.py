"""The one door: a payment that is learnt in several ways, in any order, late or at the same moment, counts once."""

from dataclasses import replace
from functools import partial
from itertools import permutations
from threading import Barrier

import pytest

from orders.errors import NothingToRefund
from orders.models import Notification, Order
from orders.payments import settling
from orders.payments.gateway import Payment, PaymentStatus
from orders.payments.models import Incident, JournalEntry, PaymentAttempt, Refund
from orders.payments.settling import settle
from orders.services import cancel_order
from orders.states import Status
from tests.factories import make_order
from tests.orders.payments.looks import attempts, stock

pytestmark = pytest.mark.django_db(transaction=True)

CAPTURED = Payment("pi_1", PaymentStatus.SUCCEEDED, 1000, "GBP")
PENDING = replace(CAPTURED, status=PaymentStatus.PENDING)
DECLINED = replace(
    CAPTURED, status=PaymentStatus.FAILED, code="card_declined", detail="Your card was declined."
)
CALLED_OFF = replace(CAPTURED, status=PaymentStatus.CANCELLED)
WAYS = ("reply", "webhook", "reconciliation")


@pytest.fixture
def order(product, waiting) -> Order:
    return make_order({product: 4}, status=Status.CHARGING)


@pytest.fixture
def attempt(order) -> PaymentAttempt:
    return PaymentAttempt.objects.create(
        order=order,
        number=1,
        idempotency_key=f"order-{order.public_id}-1",
        amount=order.amount,
        currency="GBP",
        payment_method="pm_card_visa",
    )


def everything() -> list[object]:
    """All that a settlement may change."""
    tables = (Order, PaymentAttempt, Refund, JournalEntry, Incident, Notification)
    return [list(table.objects.order_by("pk").values()) for table in tables]


@pytest.mark.parametrize("ways", list(permutations(WAYS)), ids="-".join)
def test_a_capture_that_is_learnt_in_three_ways_counts_once(order, attempt, product, waiting, ways):
    assert settle(attempt.pk, CAPTURED, via=ways[0]) is True
    before = (everything(), order.events.count(), waiting("default"), waiting("io"))

    assert [settle(attempt.pk, CAPTURED, via=way) for way in ways[1:]] == [False, False]

    assert (everything(), order.events.count(), waiting("default"), waiting("io")) == before
    order.refresh_from_db()
    assert (order.status, attempts(order), stock(product)) == (Status.PAID, [("succeeded", "", "")], (10, 4))
    assert order.events.last().detail == {"provider_ref": "pi_1", "via": ways[0]}
    assert JournalEntry.objects.count() == 1


def test_a_capture_that_is_learnt_ten_times_at_once_counts_once(order, attempt, waiting, at_once):
    outcomes = at_once([partial(settle, attempt.pk, CAPTURED, via=WAYS[n % 3]) for n in range(10)])
    assert sorted(outcomes) == [False] * 9 + [True]
    assert order.events.filter(kind="paid").count() == 1
    assert JournalEntry.objects.count() == 1
    assert waiting("default") == 1


@pytest.mark.parametrize(("over", "state"), [(DECLINED, "declined"), (CALLED_OFF, "voided")])
def test_a_payment_that_is_over_ends_the_order_once(order, attempt, product, over, state):
    assert settle(attempt.pk, over, via="webhook") is True
    before = everything()
    assert settle(attempt.pk, over, via="reply") is False
    assert everything() == before
    order.refresh_from_db()
    attempt.refresh_from_db()
    assert (order.status, attempt.state, stock(product)) == (Status.PAYMENT_FAILED, state, (10, 0))
    assert order.reason == (over.detail or "The payment was called off.")
    assert JournalEntry.objects.count() == 0


@pytest.mark.parametrize("late", [DECLINED, CALLED_OFF, PENDING], ids=lambda payment: payment.status)
def test_what_is_captured_stays_captured_whatever_comes_late(order, attempt, late):
    settle(attempt.pk, CAPTURED, via="reply")
    before = everything()
    assert settle(attempt.pk, late, via="webhook") is False
    assert everything() == before


def test_a_pending_payment_keeps_its_reference_and_the_order_waits(order, attempt):
    assert settle(attempt.pk, PENDING, via="webhook") is True
    assert settle(attempt.pk, PENDING, via="reply") is False
    order.refresh_from_db()
    attempt.refresh_from_db()
    assert (order.status, attempt.state, attempt.provider_ref) == (Status.CHARGING, "unknown", "pi_1")

    assert settle(attempt.pk, CAPTURED, via="webhook") is True

    order.refresh_from_db()
    assert order.status == Status.PAID


def test_the_end_of_another_payment_does_not_end_the_one_that_is_known(order, attempt):
    settle(attempt.pk, PENDING, via="webhook")
    before = everything()
    assert settle(attempt.pk, replace(DECLINED, reference="pi_2"), via="webhook") is False
    assert settle(attempt.pk, replace(PENDING, reference="pi_2"), via="webhook") is False
    assert everything() == before


@pytest.mark.parametrize("over", [DECLINED, CALLED_OFF], ids=lambda payment: payment.status)
def test_a_capture_after_the_payment_seemed_over_is_booked_and_given_back(
    order, attempt, product, waiting, over
):
    settle(attempt.pk, over, via="reply")
    assert settle(attempt.pk, CAPTURED, via="reconciliation") is True
    assert settle(attempt.pk, CAPTURED, via="webhook") is False
    order.refresh_from_db()
    attempt.refresh_from_db()
    assert (order.status, attempt.state, attempt.refunded) == (Status.PAYMENT_FAILED, "succeeded", 1000)
    refund = Refund.objects.get()
    assert (refund.amount, refund.state, refund.requested_by) == (1000, "requested", "payments")
    assert refund.reason == "The payment arrived after the order had ended."
    assert stock(product) == (10, 0)


def test_a_capture_of_an_order_that_was_cancelled_meanwhile_is_given_back_once(
    order, attempt, product, at_once
):
    cancel_order(order.pk, "ann")
    assert stock(product) == (10, 0)

    outcomes = at_once([partial(settle, attempt.pk, CAPTURED, via=WAYS[n % 3]) for n in range(10)])

    assert sorted(outcomes) == [False] * 9 + [True]
    order.refresh_from_db()
    attempt.refresh_from_db()
    assert (order.status, attempt.state, attempt.refunded) == (Status.CANCELLED, "succeeded", 1000)
    assert list(Refund.objects.values_list("amount", "state")) == [(1000, "requested")]
    assert stock(product) == (10, 0)


def test_without_the_lock_a_second_run_would_give_the_money_back_again_but_for_what_is_left(
    order, attempt, at_once, monkeypatch
):
    """The guard off: both read an open attempt, and the second is only stopped by there being nothing left."""
    cancel_order(order.pk, "ann")
    both_have_looked = Barrier(2, timeout=10)
    real = settling._settle_captured

    def settle_captured(*arguments: object) -> bool:
        both_have_looked.wait()
        return real(*arguments)

    monkeypatch.setattr(settling, "_settle_captured", settle_captured)
    monkeypatch.setattr(settling.locks, "lock_order", lambda order_id: Order.objects.get(pk=order_id))

    outcomes = at_once([partial(settle, attempt.pk, CAPTURED, via=way) for way in WAYS[:2]])

    assert {type(outcome) for outcome in outcomes} == {bool, NothingToRefund}
    assert list(Refund.objects.values_list("amount", flat=True)) == [1000]


def test_a_decline_of_an_order_that_was_cancelled_meanwhile_leaves_it_cancelled(order, attempt):
    cancel_order(order.pk, "ann", reason="Too slow.")
    assert settle(attempt.pk, DECLINED, via="reply") is True
    order.refresh_from_db()
    attempt.refresh_from_db()
    assert (order.status, order.reason, attempt.state) == (Status.CANCELLED, "Too slow.", "declined")
    assert Refund.objects.count() == 0


def test_a_payment_that_was_given_up_and_turns_up_pending_is_open_again(order, attempt):
    cancel_order(order.pk, "ann")
    settle(attempt.pk, replace(CALLED_OFF, reference=""), via="reconciliation")
    assert settle(attempt.pk, PENDING, via="webhook") is True
    attempt.refresh_from_db()
    assert (attempt.state, attempt.provider_ref) == ("unknown", "pi_1")


@pytest.mark.parametrize(
    "other", [replace(CAPTURED, amount=999), replace(CAPTURED, currency="USD")], ids=["amount", "currency"]
)
def test_another_amount_than_was_asked_for_settles_nothing_and_is_an_incident(order, attempt, waiting, other):
    before = everything()[:4]
    for way in WAYS:
        assert settle(attempt.pk, other, via=way) is False
    assert everything()[:4] == before
    incident = Incident.objects.get()
    assert (incident.kind, incident.fingerprint, incident.order) == ("amount_differs", "pi_1", order)
    assert "were asked for" in incident.summary
    assert waiting("default") == waiting("io") == 0


def test_a_second_capture_for_an_order_is_an_incident_and_changes_nothing(order, attempt):
    settle(attempt.pk, CAPTURED, via="reply")
    before = everything()[:4]
    for way in WAYS:
        assert settle(attempt.pk, replace(CAPTURED, reference="pi_2"), via=way) is False
    assert everything()[:4] == before
    incident = Incident.objects.get()
    assert (incident.kind, incident.fingerprint, incident.order) == ("captured_twice", "pi_2", order)
    assert incident.summary == "£10.00 were captured as pi_2, but the order has pi_1 already."


def test_a_capture_of_an_old_attempt_is_a_second_one_when_another_is_live(order, attempt):
    settle(attempt.pk, DECLINED, via="reply")
    PaymentAttempt.objects.create(
        order=order, number=2, idempotency_key="second", amount=1000, currency="GBP", provider_ref="pi_2"
    )
    assert settle(attempt.pk, CAPTURED, via="webhook") is False
    assert Incident.objects.get().kind == "captured_twice"
