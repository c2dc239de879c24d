"""Keys that can no longer be asked with, payments that are pending, and requests that make no sense."""

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from orders.models import Order
from orders.payments import charging, looking
from orders.payments.charging import charge_order
from orders.payments.gateway import Misconfigured, Payment, PaymentStatus, Unknown
from orders.payments.models import Incident, PaymentAttempt
from orders.payments.stripe import StripeGateway
from orders.states import Status
from tests.orders.payments.looks import attempts, captured, stock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def listed(monkeypatch):
    """Let the provider list the payments that are put into what this returns."""
    payments: list[Payment] = []
    monkeypatch.setattr(StripeGateway, "payments", lambda _self, **_span: iter(payments))
    return payments


LATER = timedelta(hours=23, minutes=1)


@pytest.fixture
def asked(order, answer):
    """Ask once, without an answer; from then on asking with the key would be a second charge."""
    answer(Unknown("Read timed out."))
    with pytest.raises(Unknown):
        charge_order(order.pk)
    answer(captured("pi_second"))


def test_a_key_that_is_nearly_a_day_old_is_still_asked_with(order, asked):
    with time_machine.travel(timezone.now() + timedelta(hours=22, minutes=59)):
        charge_order(order.pk)
    assert attempts(order) == [("succeeded", "", "")]


def test_a_key_that_the_provider_may_have_forgotten_is_looked_up_and_found(order, asked, listed):
    listed += [captured("pi_of_another"), replace(captured("pi_first"), order=str(order.public_id))]
    with time_machine.travel(timezone.now() + LATER):
        charge_order(order.pk)
    order.refresh_from_db()
    assert (order.status, order.payment_attempts.get().provider_ref) == (Status.PAID, "pi_first")


def test_a_forgotten_key_whose_payment_is_not_there_ends_the_order_and_charges_nothing(
    order, product, asked, listed
):
    with time_machine.travel(timezone.now() + LATER):
        charge_order(order.pk)
    order.refresh_from_db()
    words = "The payment provider could not be reached. Nothing was charged."
    assert (order.status, order.reason) == (Status.PAYMENT_FAILED, words)
    assert attempts(order) == [("voided", "not_found", words)]
    assert stock(product) == (10, 0)


def test_a_forgotten_key_that_was_asked_with_a_moment_ago_is_not_given_up(order, asked, listed):
    PaymentAttempt.objects.update(updated_at=timezone.now() + LATER)
    moment = timezone.now() + LATER + looking.VOID_AFTER - timedelta(seconds=5)
    with time_machine.travel(moment), pytest.raises(Unknown, match="you will not pay twice"):
        charge_order(order.pk)
    order.refresh_from_db()
    assert (order.status, attempts(order)) == (
        Status.CHARGING,
        [("unknown", "unknown", "not to be found at the provider yet")],
    )


FAILS_AFTER = {"fault": "error_after", "path": "payment_intents$", "method": "POST", "times": 1}


def test_a_500_that_the_provider_keeps_for_the_key_is_looked_up_and_found(order, sandbox, settings):
    """Charged, answered with a 500, and that is what the key is answered with from then on."""
    settings.STRIPE_API_BASE = sandbox.url
    sandbox.set_faults([FAILS_AFTER])
    with pytest.raises(Unknown):
        charge_order(order.pk)
    assert attempts(order)[0][:2] == ("unknown", "unknown")

    charge_order(order.pk)

    order.refresh_from_db()
    assert (order.status, attempts(order)) == (Status.PAID, [("succeeded", "", "")])
    assert sandbox.charges_of(order.public_id) == [(1000, "gbp")]


def test_without_looking_a_500_that_is_kept_would_be_the_answer_for_a_day(
    order, sandbox, settings, monkeypatch
):
    """The guard off: the order waits for its key to be forgotten."""
    settings.STRIPE_API_BASE = sandbox.url
    sandbox.set_faults([FAILS_AFTER])
    monkeypatch.setattr(charging, "find_payment", lambda _attempt: None)
    for _ in range(3):
        with pytest.raises(Unknown):
            charge_order(order.pk)
    assert sandbox.charges_of(order.public_id) == [(1000, "gbp")]


def test_a_key_that_is_spent_and_charged_nothing_ends_the_order_when_no_request_can_be_under_way(
    order, product, answer, listed
):
    answer(Unknown("An unknown error occurred.", spent=True))
    with pytest.raises(Unknown):
        charge_order(order.pk)
    assert attempts(order) == [("unknown", "spent", "An unknown error occurred.")]
    answer(AssertionError("it was asked with again"))
    with pytest.raises(Unknown):
        charge_order(order.pk)
    assert attempts(order) == [("unknown", "spent", "not to be found at the provider yet")]

    with time_machine.travel(timezone.now() + looking.VOID_AFTER + timedelta(seconds=5)):
        charge_order(order.pk)

    order.refresh_from_db()
    assert (order.status, attempts(order)[0][:2]) == (Status.PAYMENT_FAILED, ("voided", "not_found"))
    assert stock(product) == (10, 0)


def test_a_key_that_is_spent_stays_spent_when_the_provider_cannot_be_asked(order, answer, monkeypatch):
    answer(Unknown("An unknown error occurred.", spent=True))
    monkeypatch.setattr(StripeGateway, "payments", lambda _self, **_span: iter(()))
    with pytest.raises(Unknown):
        charge_order(order.pk)

    def away(_self, **_span):
        raise Unknown("Read timed out.")
        yield

    monkeypatch.setattr(StripeGateway, "payments", away)
    with pytest.raises(Unknown):
        charge_order(order.pk)
    assert attempts(order) == [("unknown", "spent", "Read timed out.")]


def test_without_a_limit_on_its_life_a_forgotten_key_would_charge_again(order, asked, listed, monkeypatch):
    """The guard off: the provider has captured as pi_first, forgets the key, and is asked with it again."""
    monkeypatch.setattr(charging, "KEY_LIFETIME", timedelta(days=365))
    with time_machine.travel(timezone.now() + LATER):
        charge_order(order.pk)
    assert order.payment_attempts.get().provider_ref == "pi_second"


def test_a_payment_that_is_pending_is_looked_up_by_its_name_and_not_asked_for_again(
    order, answer, monkeypatch
):
    answer(replace(captured("pi_slow"), status=PaymentStatus.PENDING))
    with pytest.raises(Unknown):
        charge_order(order.pk)
    order.refresh_from_db()
    attempt = order.payment_attempts.get()
    assert (order.status, attempt.state, attempt.provider_ref) == (Status.CHARGING, "unknown", "pi_slow")

    answer(AssertionError("it was asked for again"))
    monkeypatch.setattr(StripeGateway, "retrieve", lambda _self, reference: captured(reference))
    charge_order(order.pk)

    order.refresh_from_db()
    assert order.status == Status.PAID


def test_a_refusal_of_our_requests_is_one_incident_for_staff_however_many_orders(order, answer):
    answer(Misconfigured("Invalid API key."))
    for _ in range(3):
        with pytest.raises(Misconfigured):
            charge_order(order.pk)
    incident = Incident.objects.get()
    assert (incident.kind, incident.fingerprint) == ("misconfigured", "stripe")
    assert incident.summary == "The provider refuses our requests: Invalid API key."


@pytest.mark.parametrize(("currency", "amount"), [("KWD", 1001), ("MGA", 150), ("IQD", 1000)])
def test_what_cannot_be_charged_exactly_ends_the_order_with_words_and_asks_nobody(
    order, product, answer, currency, amount
):
    Order.objects.update(currency=currency, amount=amount)
    answer(AssertionError("the provider was asked"))

    charge_order(order.pk)

    order.refresh_from_db()
    assert order.status == Status.PAYMENT_FAILED
    assert "cannot be paid by card" in order.reason
    assert stock(product) == (10, 0)
