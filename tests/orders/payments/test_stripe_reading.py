"""Giving back, calling off, looking up and listing, through the official client against the sandbox."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from orders.payments.gateway import Declined, Misconfigured, PaymentStatus, RefundStatus
from orders.payments.stripe import StripeGateway
from tests.sandbox import KEY


@pytest.fixture
def gateway(sandbox) -> StripeGateway:
    return StripeGateway(KEY, sandbox.url)


def pay(gateway: StripeGateway, amount: int = 1000, currency: str = "GBP", **changes: object):
    arguments = {
        "key": uuid.uuid4().hex,
        "payment_method": "pm_card_visa",
        "metadata": {"order": "seven"},
        **changes,
    }
    return gateway.charge(amount=amount, currency=currency, **arguments)


def give_back(gateway: StripeGateway, payment: str, amount: int, key: str = "", currency: str = "GBP"):
    return gateway.refund(
        key=key or uuid.uuid4().hex,
        payment=payment,
        amount=amount,
        currency=currency,
        metadata={"order": "seven", "refund": "4"},
    )


def test_a_charge_is_a_payment_as_the_provider_has_it(gateway):
    before = datetime.now(UTC) - timedelta(seconds=2)
    paid = pay(gateway)
    assert (paid.status, paid.amount, paid.currency, paid.order) == (
        PaymentStatus.SUCCEEDED,
        1000,
        "GBP",
        "seven",
    )
    assert before <= paid.created_at <= datetime.now(UTC)


def test_parts_go_back_until_nothing_is_left(gateway):
    paid = pay(gateway)
    receipt = give_back(gateway, paid.reference, 300)
    assert (receipt.payment, receipt.status, receipt.amount, receipt.currency, receipt.refund) == (
        paid.reference,
        RefundStatus.SUCCEEDED,
        300,
        "GBP",
        "4",
    )
    assert gateway.retrieve(paid.reference).refunded == 300
    with pytest.raises(Declined):
        give_back(gateway, paid.reference, 701)
    assert give_back(gateway, paid.reference, 700).status == RefundStatus.SUCCEEDED
    with pytest.raises(Declined) as caught:
        give_back(gateway, paid.reference, 1)
    assert caught.value.code == "charge_already_refunded"
    assert gateway.retrieve(paid.reference).refunded == 1000


def test_the_same_key_is_the_same_refund(gateway):
    paid = pay(gateway)
    first = give_back(gateway, paid.reference, 300, key="k")
    assert give_back(gateway, paid.reference, 300, key="k") == first
    assert gateway.retrieve(paid.reference).refunded == 300


def test_a_refund_of_no_payment_is_for_people(gateway):
    with pytest.raises(Misconfigured):
        give_back(gateway, "pi_nothing", 300)


def test_what_the_provider_does_not_have_is_none(gateway):
    assert gateway.retrieve("pi_nothing") is None
    assert gateway.retrieve_refund("re_nothing") is None


def test_a_refund_is_found_by_its_name(gateway):
    receipt = give_back(gateway, pay(gateway).reference, 300)
    assert gateway.retrieve_refund(receipt.reference) == receipt


def test_calling_off_a_captured_payment_leaves_it_captured(gateway):
    paid = pay(gateway)
    assert gateway.cancel(paid.reference).status == PaymentStatus.SUCCEEDED


def test_a_declined_payment_has_failed_for_good_and_can_be_called_off(gateway):
    with pytest.raises(Declined) as caught:
        pay(gateway, payment_method="pm_card_chargeDeclined")
    failed = gateway.retrieve(caught.value.provider_ref)
    assert (failed.status, failed.code, failed.detail) == (
        PaymentStatus.FAILED,
        "generic_decline",
        "Your card was declined.",
    )
    assert gateway.cancel(failed.reference).status == PaymentStatus.CANCELLED


def test_payments_are_listed_page_after_page_newest_first(gateway, monkeypatch):
    monkeypatch.setattr("orders.payments.stripe.PAGE", 2)
    made = [pay(gateway, amount).reference for amount in (100, 200, 300, 400, 500)]
    listed = list(gateway.payments(since=datetime.now(UTC) - timedelta(minutes=1)))
    assert [payment.reference for payment in listed] == made[::-1]
    assert [payment.order for payment in listed] == ["seven"] * 5


def test_payments_are_listed_within_a_span_of_time(gateway):
    pay(gateway)
    now = datetime.now(UTC)
    minute = timedelta(minutes=1)
    assert len(list(gateway.payments(since=now - minute, until=now + minute))) == 1
    assert list(gateway.payments(since=now + minute)) == []
    assert list(gateway.payments(since=now - 2 * minute, until=now - minute)) == []


def test_refunds_are_listed_by_payment_and_by_time(gateway, monkeypatch):
    monkeypatch.setattr("orders.payments.stripe.PAGE", 2)
    one, other = pay(gateway), pay(gateway)
    made = [give_back(gateway, one.reference, amount).reference for amount in (100, 200, 300)]
    last = give_back(gateway, other.reference, 400).reference
    assert [receipt.reference for receipt in gateway.refunds(payment=one.reference)] == made[::-1]
    now = datetime.now(UTC)
    since = list(gateway.refunds(since=now - timedelta(minutes=1)))
    assert [receipt.reference for receipt in since] == [last, *made[::-1]]
    assert list(gateway.refunds(since=now + timedelta(minutes=1))) == []


def test_yen_are_sent_as_they_are_and_come_back_so(gateway, sandbox):
    order = uuid.uuid4().hex
    paid = pay(gateway, 500, "JPY", metadata={"order": order})
    assert (paid.amount, paid.currency) == (500, "JPY")
    assert sandbox.charges_of(order) == [(500, "jpy")]
