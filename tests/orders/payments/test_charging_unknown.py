"""Charging when answers are lost, late or not given: the order waits, and pays once."""

import pytest
from django.db import connection, transaction

from orders.payments import charging
from orders.payments.charging import charge_order
from orders.payments.gateway import Declined, Misconfigured, Payment, Unavailable, Unknown
from orders.payments.models import PaymentAttempt
from orders.payments.stripe import StripeGateway
from orders.states import Status
from tests.orders.payments.looks import attempts, captured, stock

pytestmark = pytest.mark.django_db(transaction=True)


def test_while_the_provider_is_down_the_order_waits_and_is_then_charged_once(
    order, product, sandbox, settings
):
    settings.STRIPE_API_BASE = sandbox.url
    sandbox.kill()
    for _ in range(2):
        with pytest.raises(Unknown):
            charge_order(order.pk)
        order.refresh_from_db()
        assert order.status == Status.CHARGING
        [(state, code, detail)] = attempts(order)
        assert (state, code) == ("unknown", "unknown")
        assert "Unexpected error communicating with Stripe" in detail
        assert stock(product) == (10, 4)
    key = order.payment_attempts.get().idempotency_key

    sandbox.start()
    charge_order(order.pk)

    order.refresh_from_db()
    attempt = order.payment_attempts.get()
    assert order.status == Status.PAID
    assert (attempt.state, attempt.idempotency_key, attempt.error_detail) == ("succeeded", key, "")
    assert sandbox.charges_of(order.public_id) == [(1000, "gbp")]


@pytest.fixture
def answers_are_lost(monkeypatch):
    """The provider charges, and its answer never arrives, as often as the list says; returns the keys it saw."""
    keys = []
    real = StripeGateway.charge

    def charge(self, *, key, **arguments):
        keys.append(key)
        done = real(self, key=key, **arguments)
        if len(keys) <= 2:
            raise Unknown("The connection was cut.")
        return done

    monkeypatch.setattr(StripeGateway, "charge", charge)
    return keys


def test_an_answer_that_is_lost_after_charging_is_asked_for_with_the_same_key(
    order, provider, answers_are_lost
):
    for _ in range(2):
        with pytest.raises(Unknown):
            charge_order(order.pk)
        assert attempts(order) == [("unknown", "unknown", "The connection was cut.")]

    charge_order(order.pk)

    order.refresh_from_db()
    assert order.status == Status.PAID
    assert len(answers_are_lost) == 3
    assert set(answers_are_lost) == {order.payment_attempts.get().idempotency_key}
    assert provider.charges_of(order.public_id) == [(1000, "gbp")]


def test_with_a_new_key_for_each_try_the_shopper_would_pay_three_times(
    order, provider, answers_are_lost, monkeypatch
):
    """The guard off: what the test above would see if a lost answer were followed by a new key."""
    begin = charging._begin

    def begin_with_a_new_key(order_id: int):
        attempt = begin(order_id)
        attempt.idempotency_key += f"-{len(answers_are_lost)}"
        return attempt

    monkeypatch.setattr(charging, "_begin", begin_with_a_new_key)
    for _ in range(2):
        with pytest.raises(Unknown):
            charge_order(order.pk)
    charge_order(order.pk)
    assert provider.charges_of(order.public_id) == [(1000, "gbp")] * 3


@pytest.mark.parametrize("error", [Unavailable("Too many requests."), Misconfigured("Invalid API key.")])
def test_a_request_that_was_turned_away_leaves_the_attempt_as_it_was(order, product, answer, error):
    answer(error)
    for _ in range(2):
        with pytest.raises(type(error)):
            charge_order(order.pk)
        order.refresh_from_db()
        assert order.status == Status.CHARGING
        assert attempts(order) == [("sent", type(error).__name__.lower(), error.detail)]
        assert stock(product) == (10, 4)

    answer(captured("pi_late"))
    charge_order(order.pk)

    assert attempts(order) == [("succeeded", "", "")]


def test_what_is_unknown_stays_unknown_when_the_next_try_is_turned_away(order, answer):
    answer(Unknown("Read timed out."))
    with pytest.raises(Unknown):
        charge_order(order.pk)
    answer(Unavailable("Too many requests."))
    with pytest.raises(Unavailable):
        charge_order(order.pk)
    assert attempts(order) == [("unknown", "unavailable", "Too many requests.")]


@pytest.mark.parametrize(
    "late", [Unknown("Read timed out."), Declined("x", "Too late."), captured("pi_other")]
)
def test_what_is_settled_stays_settled_whatever_comes_late(order, product, answer, late, monkeypatch):
    """A run that was slow hears its answer after another run has settled the order."""

    def settle_meanwhile(attempt: PaymentAttempt) -> Payment:
        monkeypatch.setattr(charging, "_ask", original)
        charge_order(order.pk)
        answer(late)
        return original(attempt)

    original = charging._ask
    monkeypatch.setattr(charging, "_ask", settle_meanwhile)
    if isinstance(late, Unknown):
        with pytest.raises(Unknown):
            charge_order(order.pk)
    else:
        charge_order(order.pk)

    order.refresh_from_db()
    attempt = order.payment_attempts.get()
    assert (order.status, attempt.state, attempt.error_detail) == (Status.PAID, "succeeded", "")
    assert attempt.provider_ref != "pi_other"
    assert order.events.filter(kind="paid").count() == 1
    assert stock(product) == (10, 4)


def test_the_provider_is_asked_with_no_transaction_open_and_the_key_committed(order, monkeypatch, at_once):
    def ask(attempt: PaymentAttempt) -> Payment:
        assert connection.in_atomic_block is False
        assert connection.connection.info.transaction_status.name == "IDLE"
        [seen] = at_once([lambda: PaymentAttempt.objects.get().idempotency_key])
        assert seen == attempt.idempotency_key
        return captured("pi_1")

    monkeypatch.setattr(charging, "_ask", ask)
    charge_order(order.pk)
    assert attempts(order) == [("succeeded", "", "")]


def test_a_caller_that_has_a_transaction_open_is_refused_before_anything_happens(order, provider):
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        charge_order(order.pk)
    order.refresh_from_db()
    assert (order.status, attempts(order)) == (Status.RESERVED, [])
    assert provider.charges_of(order.public_id) == []
