"""What becomes of an event of a payment, with the provider's own process asked what it is about."""

from uuid import uuid4

import pytest
from django.test import Client
from stripe import CardError

from orders.payments import processing
from orders.payments.charging import charge_order
from orders.payments.models import (
    AttemptState,
    EventState,
    Incident,
    IncidentKind,
    JournalEntry,
    Provider,
    WebhookEvent,
)
from orders.payments.receiving import process_again
from orders.services import cancel_order
from orders.states import Status
from proj.jobs import failpoints, ledger
from proj.jobs.models import Job
from proj.jobs.testing import drain, enqueued, run_job
from tests.orders.payments.looks import attempts, refunds_of
from tests.orders.payments.signed import deliver, event
from tests.orders.payments.told import TASK, begin, intent_of, pay, secret, stripe, tell, times_paid

__all__ = ["secret", "stripe"]

pytestmark = pytest.mark.django_db


def test_a_payment_whose_reply_was_lost_is_settled_by_its_webhook(order, stripe, provider):
    begin(order)
    reference = pay(stripe, order)
    told = tell("payment_intent.succeeded", reference)
    assert (told.state, told.detail) == (
        EventState.PROCESSED,
        f"{reference} is succeeded at the provider: settled.",
    )
    order.refresh_from_db()
    assert (order.status, attempts(order)) == (Status.PAID, [("succeeded", "", "")])
    assert order.payment_attempts.get().provider_ref == reference
    assert JournalEntry.objects.get().provider_ref == reference


def test_a_declined_payment_whose_reply_was_lost_ends_the_order(order, stripe, provider):
    begin(order)
    with pytest.raises(CardError):
        pay(stripe, order, payment_method="pm_card_chargeDeclined")
    told = tell("payment_intent.payment_failed", intent_of(provider, order))
    assert told.state == EventState.PROCESSED
    order.refresh_from_db()
    assert order.status == Status.PAYMENT_FAILED
    assert order.payment_attempts.get().state == AttemptState.DECLINED


def test_a_webhook_that_comes_before_the_reply_is_the_one_that_settles(order, provider):
    def overtake(point: str) -> None:
        if point == "payment:asked":
            failpoints.arm(None)
            assert tell("payment_intent.succeeded", intent_of(provider, order)).detail.endswith("settled.")

    failpoints.arm(overtake)
    try:
        charge_order(order.pk)
    finally:
        failpoints.arm(None)
    order.refresh_from_db()
    assert attempts(order) == [("succeeded", "", "")]
    assert times_paid(order) == 1
    assert JournalEntry.objects.count() == 1
    assert provider.charges_of(order.public_id) == [(1000, "gbp")]


def test_events_in_reverse_settle_what_is_true_now(order, stripe):
    begin(order)
    reference = pay(stripe, order)
    for kind in ("succeeded", "processing", "payment_failed"):  # the last two speak of what was before
        told = tell(f"payment_intent.{kind}", reference, status="requires_payment_method")
        assert told.state == EventState.PROCESSED
    order.refresh_from_db()
    assert (order.status, attempts(order)) == (Status.PAID, [("succeeded", "", "")])
    assert times_paid(order) == 1


def test_what_the_event_itself_says_is_not_believed(order, stripe):
    begin(order)
    reference = pay(stripe, order, confirm=False)  # not paid, and nobody has tried
    told = tell("payment_intent.succeeded", reference, status="succeeded", amount_received=order.amount)
    assert told.detail == f"{reference} is pending at the provider: settled."
    order.refresh_from_db()
    assert (order.status, order.payment_attempts.get().state) == (Status.CHARGING, AttemptState.UNKNOWN)


def test_money_that_arrives_for_a_cancelled_order_goes_back(order, stripe, provider):
    begin(order)
    reference = pay(stripe, order)
    cancel_order(order.pk, actor="shopper")
    told = tell("payment_intent.succeeded", reference)
    assert told.state == EventState.PROCESSED
    drain(queue="io")
    order.refresh_from_db()
    assert order.status == Status.REFUNDED
    assert refunds_of(provider, order) == [(1000, "gbp")]


def test_an_event_about_an_order_that_we_do_not_have_is_tried_again_and_then_given_up(stripe, waiting):
    nobody = uuid4()
    reference = pay(stripe, nobody)
    assert deliver(Client(), event("payment_intent.succeeded", reference)).status_code == 200
    ran = drain(queue="io", ahead=True)
    assert [run.state for run in ran] == ["RETRY"] * 10 + ["SUCCESS"]
    stored = WebhookEvent.objects.get()
    assert (stored.state, stored.settled_at is not None) == (EventState.FAILED, True)
    incident = Incident.objects.get()
    assert (incident.kind, incident.fingerprint) == (IncidentKind.EVENT_UNPLACED, reference)
    assert str(nobody) in incident.summary
    assert Job.objects.count() == 0


def test_an_event_that_was_too_early_is_settled_when_its_order_is_there(order, stripe):
    reference = pay(stripe, order)
    assert (
        tell("payment_intent.succeeded", reference).state == EventState.RECEIVED
    )  # never charged, as far as we know
    assert [job.task for job in enqueued(TASK)] == [TASK]
    begin(order)
    drain(queue="io", ahead=True)
    assert WebhookEvent.objects.get().state == EventState.PROCESSED
    order.refresh_from_db()
    assert times_paid(order) == 1
    assert Incident.objects.count() == 0


def test_an_event_about_what_the_provider_does_not_know_is_given_up(provider, waiting):
    assert deliver(Client(), event("payment_intent.succeeded", "pi_unheard_of")).status_code == 200
    drain(queue="io", ahead=True)
    assert WebhookEvent.objects.get().state == EventState.FAILED
    assert Incident.objects.get().fingerprint == "pi_unheard_of"


@pytest.mark.parametrize("metadata", [{}, {"order": ""}])
def test_a_payment_that_is_none_of_ours_is_ignored(stripe, waiting, metadata):
    told = tell("payment_intent.succeeded", pay(stripe, metadata=metadata))
    assert told.state == EventState.IGNORED
    assert Incident.objects.count() == 0


def test_a_second_payment_of_an_order_that_is_paid_opens_an_incident(order, stripe):
    charge_order(order.pk)
    second = pay(stripe, order)
    assert tell("payment_intent.succeeded", second).state == EventState.PROCESSED
    incident = Incident.objects.get()
    assert (incident.kind, incident.fingerprint) == (IncidentKind.CAPTURED_TWICE, second)
    assert JournalEntry.objects.count() == 1


def test_another_payment_of_an_order_that_came_to_nothing_changes_nothing(order, stripe):
    charge_order(order.pk)
    other = pay(stripe, order, confirm=False)
    stripe.payment_intents.cancel(other)
    tell("payment_intent.canceled", other)
    order.refresh_from_db()
    assert (attempts(order), Incident.objects.count()) == ([("succeeded", "", "")], 0)


def test_while_payments_are_paused_events_wait_and_no_try_is_used_up(order, stripe):
    begin(order)
    Provider.objects.update_or_create(name="stripe", defaults={"paused": True})
    told = tell("payment_intent.succeeded", pay(stripe, order))
    for _ in range(12):  # more often than a job is tried
        [job] = enqueued(TASK)
        assert ledger.hasten([job.pk]) == 1  # it had been put off
        run_job(job)
    Provider.objects.update(paused=False)
    [job] = enqueued(TASK)
    assert job.message["headers"]["retries"] == 0
    drain(queue="io", ahead=True)
    told.refresh_from_db()
    assert told.state == EventState.PROCESSED


def test_an_event_is_looked_into_again_when_somebody_asks(order, stripe):
    told = tell("payment_intent.succeeded", pay(stripe, order))
    drain(queue="io", ahead=True)
    told.refresh_from_db()
    assert told.state == EventState.FAILED
    begin(order)
    process_again(told)
    drain(queue="io")
    told.refresh_from_db()
    assert told.state == EventState.PROCESSED
    order.refresh_from_db()
    assert times_paid(order) == 1


def test_what_is_processed_is_not_fetched_again(order, provider):
    charge_order(order.pk)
    told = tell("payment_intent.succeeded", intent_of(provider, order))
    Provider.objects.update(paused=True)  # whoever asks now is refused
    assert processing.process_event(told.pk, is_last_try=False) == EventState.PROCESSED
