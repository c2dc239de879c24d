"""Asking the provider to give money back, when answers are lost, late or refused."""

from datetime import timedelta
from functools import partial

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from orders import services
from orders.payments import looking, refunding
from orders.payments.charging import charge_order
from orders.payments.gateway import Declined, Misconfigured, RefundReceipt, RefundStatus, Unavailable, Unknown
from orders.payments.models import Incident, JournalEntry, Refund
from orders.payments.refunding import send_refund, settle_refund
from orders.payments.stripe import StripeGateway
from orders.states import Status
from tests.orders.payments.looks import ask_back, receipt, refunds_of, see, stock

pytestmark = pytest.mark.django_db(transaction=True)

LATER = timedelta(hours=23, minutes=1)


@pytest.fixture
def refund_answer(monkeypatch):
    """Let the provider answer a refund with what the function it returns is given."""

    def give(outcome: RefundReceipt | Exception) -> None:
        def answer_(_self, **_arguments):
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr(StripeGateway, "refund", answer_)

    return give


def test_the_money_goes_back_once_and_the_order_ends_as_refunded(order, product, provider, refund, waiting):
    mails = waiting("io")
    send_refund(refund.pk)
    send_refund(refund.pk)
    refund.refresh_from_db()
    assert see(refund) == ("succeeded", Status.REFUNDED, 1000)
    assert refund.provider_ref.startswith("re_")
    assert refunds_of(provider, order) == [(1000, "gbp")]
    entry = order.journal_entries.get(kind="refund", provider_ref=refund.provider_ref)
    assert list(entry.postings.values_list("account", "amount")) == [("refunds", 1000), ("provider", -1000)]
    assert list(order.notifications.values_list("kind", "reference")) == [
        ("paid", ""),
        ("refunded", str(refund.pk)),
    ]
    assert waiting("io") == mails + 1
    order.refresh_from_db()
    assert order.reason == "Too slow."
    assert stock(product) == (10, 0)


def test_a_part_leaves_the_order_as_it_is_until_the_rest_has_gone_back(order, provider, product):
    charge_order(order.pk)
    [first] = ask_back(order, 300)
    send_refund(first.pk)
    assert see(first) == ("succeeded", Status.PAID, 300)
    assert order.events.filter(kind="refunded").count() == 1
    services.cancel_order(order.pk, "ann")
    rest = Refund.objects.first()
    assert see(rest) == ("requested", Status.CANCELLED, 1000)
    send_refund(rest.pk)
    assert see(rest) == ("succeeded", Status.REFUNDED, 1000)
    assert refunds_of(provider, order) == [(300, "gbp"), (700, "gbp")]


@pytest.fixture
def answers_are_lost(monkeypatch):
    """The provider gives the money back, and its first two answers never arrive; returns the keys it saw."""
    keys = []
    real = StripeGateway.refund

    def give_back(self, *, key, **arguments):
        keys.append(key)
        done = real(self, key=key, **arguments)
        if len(keys) <= 2:
            raise Unknown("The connection was cut.")
        return done

    monkeypatch.setattr(StripeGateway, "refund", give_back)
    return keys


def test_an_answer_that_is_lost_is_asked_for_with_the_same_key(order, provider, refund, answers_are_lost):
    for _ in range(2):
        with pytest.raises(Unknown):
            send_refund(refund.pk)
        assert see(refund) == ("unknown", Status.CANCELLED, 1000)
    send_refund(refund.pk)
    assert see(refund) == ("succeeded", Status.REFUNDED, 1000)
    assert set(answers_are_lost) == {refund.idempotency_key}
    assert refunds_of(provider, order) == [(1000, "gbp")]


def test_with_a_new_key_for_each_try_a_part_would_go_back_three_times(
    order, provider, answers_are_lost, monkeypatch
):
    """The guard off: what the test above would see if a lost answer were followed by a new key."""
    charge_order(order.pk)
    [part] = ask_back(order, 300)
    begin = refunding._begin

    def begin_with_a_new_key(refund_id: int) -> Refund:
        refund = begin(refund_id)
        refund.idempotency_key += f"-{len(answers_are_lost)}"
        return refund

    monkeypatch.setattr(refunding, "_begin", begin_with_a_new_key)
    for _ in range(2):
        with pytest.raises(Unknown):
            send_refund(part.pk)
    send_refund(part.pk)
    assert refunds_of(provider, order) == [(300, "gbp")] * 3


def test_sixteen_runs_at_once_give_back_once(order, provider, refund, at_once):
    outcomes = at_once([partial(send_refund, refund.pk)] * 16)
    assert {type(outcome) for outcome in outcomes} <= {type(None), Unknown}  # Unknown: the key was in use
    send_refund(refund.pk)
    assert see(refund) == ("succeeded", Status.REFUNDED, 1000)
    assert refunds_of(provider, order) == [(1000, "gbp")]
    assert JournalEntry.objects.filter(kind="refund").count() == 1
    assert order.notifications.filter(kind="refunded").count() == 1


def test_a_refusal_lowers_what_goes_back_and_is_an_incident(order, refund, refund_answer):
    refund_answer(Declined("charge_disputed", "The charge has been charged back."))
    send_refund(refund.pk)
    assert see(refund) == ("failed", Status.CANCELLED, 0)
    incident = Incident.objects.get()
    assert (incident.kind, incident.fingerprint, incident.order) == (
        "refund_failed",
        f"refund:{refund.pk}",
        order,
    )
    assert incident.summary.endswith("The charge has been charged back. (charge_disputed)")
    assert incident.repair == "Ask for the refund of £10.00 again."
    assert order.events.last().kind == "refund_failed"
    assert JournalEntry.objects.filter(kind="refund").count() == 0


def test_what_was_refused_can_be_asked_for_again_with_a_key_of_its_own(order, provider, refund):
    settle_refund(refund.pk, receipt(refund, RefundStatus.FAILED), via="reply")
    [again] = ask_back(order)
    send_refund(again.pk)
    assert again.idempotency_key != refund.idempotency_key
    assert see(again) == ("succeeded", Status.REFUNDED, 1000)
    assert refunds_of(provider, order) == [(1000, "gbp")]


@pytest.mark.parametrize("error", [Unavailable("Too many requests."), Misconfigured("Invalid API key.")])
def test_a_request_that_was_turned_away_leaves_the_refund_as_it_was(refund, refund_answer, error):
    refund_answer(error)
    for _ in range(2):
        with pytest.raises(type(error)):
            send_refund(refund.pk)
    assert see(refund) == ("requested", Status.CANCELLED, 1000)
    refund.refresh_from_db()
    assert (refund.error_code, refund.error_detail) == (type(error).__name__.lower(), error.detail)
    assert Incident.objects.count() == isinstance(error, Misconfigured)


def test_a_refund_that_is_pending_is_looked_up_by_its_name_and_not_asked_for_again(
    refund, refund_answer, monkeypatch
):
    refund_answer(receipt(refund, RefundStatus.PENDING))
    send_refund(refund.pk)
    assert see(refund) == ("unknown", Status.CANCELLED, 1000)

    refund_answer(AssertionError("it was asked for again"))
    done = receipt(refund, RefundStatus.SUCCEEDED)
    monkeypatch.setattr(StripeGateway, "retrieve_refund", lambda _self, _reference: done)
    send_refund(refund.pk)

    assert see(refund) == ("succeeded", Status.REFUNDED, 1000)


def test_a_forgotten_key_is_looked_up_and_found(order, provider, refund, answers_are_lost):
    with pytest.raises(Unknown):
        send_refund(refund.pk)
    with time_machine.travel(timezone.now() + LATER):
        send_refund(refund.pk)
    assert len(answers_are_lost) == 1
    assert see(refund) == ("succeeded", Status.REFUNDED, 1000)
    assert refunds_of(provider, order) == [(1000, "gbp")]


def test_a_forgotten_key_whose_refund_is_not_there_is_for_people(order, provider, refund, refund_answer):
    refund_answer(AssertionError("it was asked for again"))
    with time_machine.travel(timezone.now() + LATER):
        send_refund(refund.pk)
    assert see(refund) == ("requested", Status.CANCELLED, 1000)
    incident = Incident.objects.get()
    assert (incident.kind, incident.fingerprint) == ("unknown_too_long", f"refund:{refund.pk}")
    assert refunds_of(provider, order) == []


def test_a_500_that_the_provider_keeps_for_the_key_is_looked_up_and_found(order, sandbox, settings):
    settings.STRIPE_API_BASE = sandbox.url
    charge_order(order.pk)
    services.cancel_order(order.pk, "ann")
    refund = Refund.objects.get()
    sandbox.set_faults([{"fault": "error_after", "path": "refunds$", "method": "POST", "times": 1}])
    with pytest.raises(Unknown):
        send_refund(refund.pk)
    assert see(refund) == ("unknown", Status.CANCELLED, 1000)

    send_refund(refund.pk)

    assert see(refund) == ("succeeded", Status.REFUNDED, 1000)
    assert refunds_of(sandbox, order) == [(1000, "gbp")]


def test_a_key_that_is_spent_and_gave_nothing_back_has_failed_when_no_request_can_be_under_way(
    order, provider, refund, refund_answer
):
    refund_answer(Unknown("An unknown error occurred.", spent=True))
    with pytest.raises(Unknown):
        send_refund(refund.pk)
    refund_answer(AssertionError("it was asked with again"))
    with pytest.raises(Unknown):
        send_refund(refund.pk)
    refund.refresh_from_db()
    assert (refund.state, refund.error_code) == ("unknown", "spent")

    with time_machine.travel(timezone.now() + looking.VOID_AFTER + timedelta(seconds=5)):
        send_refund(refund.pk)

    assert see(refund) == ("failed", Status.CANCELLED, 0)
    assert Incident.objects.get().kind == "refund_failed"


def test_the_provider_is_asked_with_no_transaction_open_and_the_key_committed(refund, monkeypatch, at_once):
    def ask(asked: Refund) -> RefundReceipt:
        assert connection.in_atomic_block is False
        assert connection.connection.info.transaction_status.name == "IDLE"
        [seen] = at_once([lambda: Refund.objects.get().idempotency_key])
        assert seen == asked.idempotency_key
        return receipt(asked, RefundStatus.SUCCEEDED)

    monkeypatch.setattr(refunding, "_ask", ask)
    send_refund(refund.pk)
    assert see(refund)[0] == "succeeded"
