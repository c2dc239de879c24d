"""Asking for money back: what is stored, what is refused, and that no more is asked for than was captured."""

from functools import partial
from threading import Barrier, local

import pytest
from django.db import IntegrityError, transaction

from orders import locks
from orders.errors import NothingToRefund, RefundInexact, RefundRefused, RefundTooLarge
from orders.models import Order
from orders.payments.models import PaymentAttempt, Refund
from orders.payments.refunds import request_refund
from orders.states import Status
from tests.factories import make_order
from tests.orders.payments.looks import ask_back

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def paid(product, waiting) -> Order:
    order = make_order({product: 4}, status=Status.COMPLETED)
    PaymentAttempt.objects.create(
        order=order,
        number=1,
        idempotency_key=f"order-{order.public_id}-1",
        amount=1000,
        currency="GBP",
        state="succeeded",
        provider_ref="pi_1",
    )
    return order


def owed(order: Order) -> tuple[int, list[int]]:
    """What the attempt says goes back, and the refunds that it goes back by."""
    amounts = Refund.objects.filter(attempt__order=order).order_by("pk").values_list("amount", flat=True)
    return order.payment_attempts.get().refunded, list(amounts)


def test_a_refund_is_stored_with_its_key_its_reason_and_a_job(paid, waiting):
    [made] = ask_back(paid, 300)
    assert (made.amount, made.currency, made.state) == (300, "GBP", "requested")
    assert (made.reason, made.requested_by) == ("It was broken.", "ann")
    assert made.idempotency_key == f"refund-{paid.public_id}-1"
    assert owed(paid) == (300, [300])
    event = paid.events.last()
    assert (event.kind, event.actor) == ("refund_requested", "ann")
    assert event.detail == {"amount": 300, "currency": "GBP", "reason": "It was broken.", "refund": made.pk}
    assert waiting("io") == 1


def test_without_an_amount_all_that_is_left_goes_back(paid):
    ask_back(paid, 300)
    [rest] = ask_back(paid)
    assert (rest.amount, rest.idempotency_key) == (700, f"refund-{paid.public_id}-2")
    assert owed(paid) == (1000, [300, 700])


@pytest.mark.parametrize(
    ("before", "amount", "error", "words"),
    [
        (None, 1001, RefundTooLarge, "No more than £10.00 can be given back."),
        (300, 701, RefundTooLarge, "No more than £7.00 can be given back."),
        (1000, 1, NothingToRefund, "Nothing was paid for this order, or all of it has been given back."),
        (1000, None, NothingToRefund, "Nothing was paid for this order, or all of it has been given back."),
        (None, 0, RefundInexact, "At least £0.01 can be given back."),
        (None, -5, RefundInexact, "At least £0.01 can be given back."),
    ],
)
def test_a_refund_that_cannot_be_is_refused_with_words_and_stores_nothing(
    paid, waiting, before, amount, error, words
):
    if before:
        ask_back(paid, before)
    held = (owed(paid), paid.events.count(), waiting("io"))
    with pytest.raises(error) as caught:
        ask_back(paid, amount)
    assert (caught.value.detail, isinstance(caught.value, RefundRefused)) == (words, True)
    assert (owed(paid), paid.events.count(), waiting("io")) == held


def test_a_part_that_the_provider_cannot_move_exactly_is_refused(paid):
    Order.objects.update(currency="KWD")
    PaymentAttempt.objects.update(currency="KWD")
    with pytest.raises(RefundInexact, match=r"KWD.0\.125 cannot be given back exactly"):
        ask_back(paid, 125)
    assert owed(paid) == (0, [])


@pytest.mark.parametrize("state", ["sent", "unknown", "declined", "voided"])
def test_what_was_not_captured_cannot_be_given_back(paid, state):
    PaymentAttempt.objects.update(state=state)
    with pytest.raises(NothingToRefund):
        ask_back(paid)
    assert owed(paid) == (0, [])


def test_a_refund_that_is_rolled_back_owes_nothing(paid, waiting):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        request_refund(locks.lock_order(paid.pk), 300, reason="x", actor="ann")
        raise ZeroDivisionError
    assert (owed(paid), waiting("io")) == ((0, []), 0)


def test_twenty_refunds_at_once_never_exceed_what_was_captured(paid, at_once):
    outcomes = at_once([partial(ask_back, paid, 150)] * 20)
    assert sum(isinstance(outcome, list) for outcome in outcomes) == 6
    assert {type(outcome) for outcome in outcomes} == {list, RefundTooLarge}
    assert owed(paid) == (900, [150] * 6)


def test_without_the_lock_the_database_still_refuses_more_than_was_captured(paid, at_once, monkeypatch):
    """The lock off: both read that all of it is left, and the constraint of the row lets one of them through."""
    both_have_looked = Barrier(2, timeout=10)
    mine = local()

    def look(order_id: int) -> Order:
        mine.order = Order.objects.get(pk=order_id)
        return mine.order

    real = PaymentAttempt.refundable.fget

    def refundable(attempt: PaymentAttempt) -> int:
        left = real(attempt)
        if not hasattr(mine, "has_looked"):
            mine.has_looked = True
            both_have_looked.wait()
        return left

    monkeypatch.setattr(locks, "lock_order", look)
    monkeypatch.setattr(PaymentAttempt, "refundable", property(refundable))

    outcomes = at_once([partial(ask_back, paid)] * 2)

    assert {type(outcome) for outcome in outcomes} == {list, IntegrityError}
    assert owed(paid) == (1000, [1000])


def test_without_lock_and_constraint_more_would_go_back_than_was_captured(paid):
    """Both guards off: what is left is read before another refund is stored, and nobody looks again."""
    attempt = paid.payment_attempts.get()
    with transaction.atomic():
        request_refund(paid, reason="x", actor="ann")
        PaymentAttempt.objects.update(refunded=attempt.refunded)  # as it was when the second looked
        request_refund(paid, reason="x", actor="ann")
    assert owed(paid)[1] == [1000, 1000]
