"""What becomes of an event of a refund, with the provider's own process asked what it is about."""

import pytest
from django.db import transaction

from orders import locks
from orders.models import OrderEvent
from orders.payments.charging import charge_order
from orders.payments.models import (
    EventState,
    Incident,
    IncidentKind,
    JournalEntry,
    Refund,
    RefundState,
    WebhookEvent,
)
from orders.payments.refunds import request_refund
from orders.states import Status
from proj.jobs.testing import enqueued
from tests.factories import make_order
from tests.orders.payments.told import TASK, begin, pay, secret, stripe, tell

__all__ = ["secret", "stripe"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def refund(order) -> Refund:
    """3.00 of a paid order, requested; the provider has not been asked."""
    charge_order(order.pk)
    with transaction.atomic():
        [refund] = request_refund(locks.lock_order(order.pk), 300, reason="Broken.", actor="boss")
    return refund


def give_back(stripe, like: Refund, **metadata: str) -> str:
    """A refund that is made at the provider; its id."""
    wanted = {"payment_intent": like.attempt.provider_ref, "amount": like.amount}
    return stripe.refunds.create({**wanted, "metadata": metadata}).id


@pytest.mark.parametrize("kind", ["charge.refunded", "refund.created", "refund.updated"])
def test_a_refund_whose_reply_was_lost_is_settled_by_its_webhook(stripe, refund, kind):
    reference = give_back(stripe, refund, refund=str(refund.pk))
    if kind == "charge.refunded":
        told = tell(kind, "ch_whichever", payment_intent=refund.attempt.provider_ref)
    else:
        told = tell(kind, reference)
    assert (told.state, told.detail) == (
        EventState.PROCESSED,
        f"{reference} is succeeded at the provider: settled.",
    )
    refund.refresh_from_db()
    assert (refund.state, refund.provider_ref) == (RefundState.SUCCEEDED, reference)
    assert JournalEntry.objects.filter(kind="refund").count() == 1


def test_a_refund_is_settled_once_however_many_events_tell_of_it(stripe, refund):
    reference = give_back(stripe, refund, refund=str(refund.pk))
    for kind in ("refund.created", "refund.updated", "charge.refund.updated"):
        tell(kind, reference)
    tell("charge.refunded", "ch_whichever", payment_intent=refund.attempt.provider_ref)
    assert JournalEntry.objects.filter(kind="refund").count() == 1
    assert OrderEvent.objects.filter(kind="refunded").count() == 1
    assert {event.state for event in WebhookEvent.objects.all()} == {EventState.PROCESSED}


def test_a_refund_that_was_made_in_the_dashboard_opens_an_incident(order, stripe, refund):
    reference = give_back(stripe, refund)
    told = tell("charge.refunded", "ch_whichever", payment_intent=refund.attempt.provider_ref)
    assert (told.state, told.detail) == (
        EventState.PROCESSED,
        f"{reference} was not made by us: an incident is open.",
    )
    incident = Incident.objects.get()
    assert (incident.kind, incident.fingerprint) == (IncidentKind.REFUND_UNSETTLED, reference)
    assert (incident.order, reference in incident.repair) == (order, True)
    refund.refresh_from_db()
    assert refund.state == RefundState.REQUESTED


@pytest.mark.parametrize("number", ["another's", "nonsense", "9" * 30])
def test_a_number_in_the_metadata_of_a_refund_is_ours_only_with_its_payment(stripe, refund, number):
    other = Refund.objects.create(
        attempt=begin(make_order(status=Status.RESERVED)),
        idempotency_key="other",
        amount=300,
        currency="GBP",
        reason="",
        requested_by="boss",
    )
    give_back(stripe, refund, refund=str(other.pk) if number == "another's" else number)
    tell("charge.refunded", "ch_whichever", payment_intent=refund.attempt.provider_ref)
    other.refresh_from_db()
    assert other.state == RefundState.REQUESTED
    assert Incident.objects.get().kind == IncidentKind.REFUND_UNSETTLED


def test_a_refund_of_a_payment_that_is_none_of_ours_is_ignored(stripe, waiting):
    reference = pay(stripe)
    back = stripe.refunds.create({"payment_intent": reference}).id
    assert tell("refund.created", back).state == EventState.IGNORED
    assert tell("charge.refunded", "ch_whichever", payment_intent=reference).state == EventState.IGNORED
    assert Incident.objects.count() == 0


def test_a_refund_of_a_payment_that_we_do_not_know_yet_waits_for_it(order, stripe):
    reference = pay(stripe, order)
    back = stripe.refunds.create({"payment_intent": reference}).id
    assert tell("refund.created", back).state == EventState.RECEIVED
    assert len(enqueued(TASK)) == 1


def test_a_charge_without_a_payment_intent_is_ignored(provider, waiting):
    told = tell("charge.refunded", "ch_old")
    assert (told.state, told.detail) == (EventState.IGNORED, "Of a kind that we do not use.")


def test_a_refund_that_the_provider_does_not_know_is_tried_again(provider, waiting):
    assert tell("refund.created", "re_unheard_of").state == EventState.RECEIVED
    assert len(enqueued(TASK)) == 1
