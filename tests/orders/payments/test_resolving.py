"""Payments that nobody asks for any more, and refunds whose job has died: looked up, and brought to their end."""

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from orders.models import Order
from orders.payments import charging
from orders.payments.charging import charge_order
from orders.payments.gateway import Misconfigured, Payment, PaymentStatus, Unknown
from orders.payments.incidents import close_incident, open_incident
from orders.payments.models import Incident, IncidentKind, PaymentAttempt, Refund
from orders.payments.refunding import send_refund
from orders.payments.resolving import resolve_unknown
from orders.payments.settling import settle
from orders.payments.stripe import StripeGateway
from orders.services import cancel_order
from orders.states import Status
from proj.jobs.models import Job
from tests.factories import make_order
from tests.orders.payments.looks import attempts, refunds_of, stock

pytestmark = pytest.mark.django_db(transaction=True)

MINUTES = timedelta(minutes=1)


@pytest.fixture
def silent(order) -> PaymentAttempt:
    """An attempt that was asked for, whose order was cancelled before there was an answer."""
    charging._begin(order.pk)
    cancel_order(order.pk, "ann")
    return order.payment_attempts.get()


def test_a_capture_of_a_cancelled_order_is_found_and_given_back_once(order, provider, product, silent):
    charging._charge(silent)  # the request that was under way arrives
    order.refresh_from_db()
    assert (order.status, attempts(order), stock(product)) == (Status.CANCELLED, [("sent", "", "")], (10, 0))

    assert resolve_unknown() == 1
    assert resolve_unknown() == 0

    refund = Refund.objects.get()
    send_refund(refund.pk)
    send_refund(refund.pk)
    order.refresh_from_db()
    assert (order.status, attempts(order)) == (Status.REFUNDED, [("succeeded", "", "")])
    assert provider.charges_of(order.public_id) == [(1000, "gbp")]
    assert refunds_of(provider, order) == [(1000, "gbp")]
    assert order.notifications.filter(kind="refunded").count() == 1


def test_nobody_asks_for_the_charge_of_a_cancelled_order_again(order, provider, silent):
    charge_order(order.pk)
    assert provider.charges_of(order.public_id) == []
    assert attempts(order) == [("sent", "", "")]


def test_a_run_that_was_asking_when_the_order_was_cancelled_gives_the_money_back(
    order, provider, monkeypatch
):
    real = StripeGateway.charge

    def charge(self, **arguments):
        cancel_order(order.pk, "ann")
        return real(self, **arguments)

    monkeypatch.setattr(StripeGateway, "charge", charge)
    charge_order(order.pk)
    send_refund(Refund.objects.get().pk)
    order.refresh_from_db()
    assert (order.status, attempts(order)) == (Status.REFUNDED, [("succeeded", "", "")])
    assert refunds_of(provider, order) == [(1000, "gbp")]


def test_what_is_not_there_is_voided_only_when_no_request_can_be_under_way(order, provider, silent):
    for later in (0, 9):
        with time_machine.travel(timezone.now() + later * MINUTES):
            assert resolve_unknown() == 0
        assert attempts(order) == [("sent", "", "")]
    with time_machine.travel(timezone.now() + 11 * MINUTES):
        assert resolve_unknown() == 1
    order.refresh_from_db()
    assert (order.status, attempts(order)[0][0]) == (Status.CANCELLED, "voided")
    assert Refund.objects.count() == 0


def test_a_request_that_arrives_after_its_attempt_was_voided_is_still_given_back(order, provider, silent):
    with time_machine.travel(timezone.now() + 11 * MINUTES):
        resolve_unknown()
    payment = charging._charge(silent)
    assert settle(silent.pk, payment, via="webhook") is True
    send_refund(Refund.objects.get().pk)
    order.refresh_from_db()
    assert (order.status, attempts(order)) == (Status.REFUNDED, [("succeeded", "", "")])
    assert refunds_of(provider, order) == [(1000, "gbp")]


@pytest.fixture
def pending(silent) -> Payment:
    """A payment that the provider has, and that may still be captured."""
    payment = Payment("pi_slow", PaymentStatus.PENDING, 1000, "GBP")
    settle(silent.pk, payment, via="webhook")
    return payment


def test_what_is_pending_for_a_cancelled_order_is_called_off_at_the_provider(
    order, pending, monkeypatch, provider
):
    called_off = []

    def cancel(_self, reference: str) -> Payment:
        called_off.append(reference)
        return replace(pending, status=PaymentStatus.CANCELLED)

    monkeypatch.setattr(StripeGateway, "retrieve", lambda _self, _reference: pending)
    monkeypatch.setattr(StripeGateway, "cancel", cancel)
    assert resolve_unknown() == 1
    assert (called_off, attempts(order)[0][0]) == (["pi_slow"], "voided")


def test_what_was_captured_before_it_could_be_called_off_is_given_back(order, pending, monkeypatch, provider):
    captured = replace(pending, status=PaymentStatus.SUCCEEDED)
    monkeypatch.setattr(StripeGateway, "retrieve", lambda _self, _reference: pending)
    monkeypatch.setattr(StripeGateway, "cancel", lambda _self, _reference: captured)
    assert resolve_unknown() == 1
    assert list(Refund.objects.values_list("amount", "state")) == [(1000, "requested")]


@pytest.fixture
def unknown(order, provider) -> PaymentAttempt:
    """An attempt whose answer was lost after the charge, of an order that is still charging."""
    charging._charge(charging._begin(order.pk))
    PaymentAttempt.objects.update(state="unknown")
    return order.payment_attempts.get()


def test_a_charging_order_is_looked_up_after_two_minutes_and_not_before(order, provider, unknown):
    assert resolve_unknown() == 0
    PaymentAttempt.objects.update(updated_at=timezone.now() - 3 * MINUTES)
    assert resolve_unknown() == 1
    order.refresh_from_db()
    assert (order.status, attempts(order)) == (Status.PAID, [("succeeded", "", "")])
    assert order.events.last().detail["via"] == "reconciliation"


def test_a_charging_order_without_a_payment_is_left_to_be_charged(order, provider):
    charging._begin(order.pk)
    with time_machine.travel(timezone.now() + 11 * MINUTES):
        assert resolve_unknown() == 0
    order.refresh_from_db()
    assert (order.status, attempts(order)) == (Status.CHARGING, [("sent", "", "")])


def test_many_are_looked_up_by_reading_the_list_once(provider, product, monkeypatch, waiting):
    reads = []
    real = StripeGateway.payments

    def payments(self, **span):
        reads.append(span)
        return real(self, **span)

    monkeypatch.setattr(StripeGateway, "payments", payments)
    orders = [make_order(status=Status.RESERVED) for _ in range(5)]
    for order in orders:
        charging._charge(charging._begin(order.pk))
        cancel_order(order.pk, "ann")
    assert resolve_unknown() == 5
    assert len(reads) == 1
    assert Refund.objects.count() == 5


@pytest.mark.parametrize("error", [Misconfigured("No such payment."), Unknown("Read timed out.")])
def test_one_that_cannot_be_looked_up_does_not_keep_the_others_waiting(
    order, pending, provider, monkeypatch, error
):
    other = make_order(status=Status.RESERVED)
    charging._charge(charging._begin(other.pk))
    cancel_order(other.pk, "ann")

    def retrieve(_self, _reference: str) -> Payment:
        raise error

    monkeypatch.setattr(StripeGateway, "retrieve", retrieve)
    assert resolve_unknown() == 1
    assert (attempts(order)[0][0], attempts(other)[0][0]) == ("unknown", "succeeded")


def test_what_has_no_outcome_for_a_day_is_an_incident(order, pending, monkeypatch, provider):
    monkeypatch.setattr(StripeGateway, "retrieve", lambda _self, _reference: pending)
    monkeypatch.setattr(StripeGateway, "cancel", lambda _self, _reference: pending)
    resolve_unknown()
    assert Incident.objects.count() == 0
    PaymentAttempt.objects.update(created_at=timezone.now() - timedelta(hours=25))
    for _ in range(2):
        resolve_unknown()
    incident = Incident.objects.get()
    assert (incident.kind, incident.order) == ("unknown_too_long", order)


def jobs_of(refund: Refund) -> int:
    return Job.objects.filter(task="payments.send_refund", subject=f"refund:{refund.pk}").count()


def test_a_refund_whose_job_is_gone_is_enqueued_again_once_it_has_been_silent(refund):
    Job.objects.all().delete()
    assert resolve_unknown() == 0
    Refund.objects.update(updated_at=timezone.now() - 3 * MINUTES)
    assert resolve_unknown() == 1
    assert jobs_of(refund) == 1
    assert resolve_unknown() == 0  # it is owed a job now
    assert jobs_of(refund) == 1


@pytest.mark.parametrize(("state", "enqueued"), [("queued", 0), ("running", 0), ("dead", 1)])
def test_a_refund_that_is_owed_a_job_is_left_to_it_and_a_dead_job_is_none(refund, state, enqueued):
    Job.objects.filter(task="payments.send_refund").update(state=state)
    Refund.objects.update(updated_at=timezone.now() - 3 * MINUTES)
    assert resolve_unknown() == enqueued


def test_while_the_provider_refuses_our_requests_no_refund_is_sent_again(refund):
    Job.objects.all().delete()
    Refund.objects.update(updated_at=timezone.now() - 3 * MINUTES)
    incident = open_incident(IncidentKind.MISCONFIGURED, "stripe", summary="No such key.")

    assert resolve_unknown() == 0
    close_incident(incident, actor="ann", outcome="The key is right again.")
    assert resolve_unknown() == 1


def test_what_is_settled_is_not_looked_up(order, provider, monkeypatch):
    charge_order(order.pk)

    def ask(*_arguments: object, **_span: object) -> None:
        raise AssertionError

    monkeypatch.setattr(StripeGateway, "payments", ask)
    monkeypatch.setattr(StripeGateway, "retrieve", ask)
    PaymentAttempt.objects.update(updated_at=timezone.now() - timedelta(days=2))
    assert resolve_unknown() == 0
    assert Order.objects.get(pk=order.pk).status == Status.PAID
