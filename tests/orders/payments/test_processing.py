"""What becomes of an event, with the provider's own process asked for what it is about."""

from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client
from stripe import CardError

from orders import locks
from orders.models import OrderEvent
from orders.payments import processing
from orders.payments.charging import charge_order
from orders.payments.models import (
    AttemptState,
    EventState,
    Incident,
    IncidentKind,
    JournalEntry,
    PaymentAttempt,
    Provider,
    Refund,
    RefundState,
    WebhookEvent,
)
from orders.payments.receiving import process_again
from orders.payments.refunds import request_refund
from orders.services import cancel_order
from orders.states import Status
from proj.jobs import failpoints, ledger
from proj.jobs.models import Job
from proj.jobs.testing import drain, enqueued, run_job
from tests.factories import make_order
from tests.orders.payments.looks import attempts, refunds_of
from tests.orders.payments.signed import SECRET, deliver, event

pytestmark = pytest.mark.django_db

TASK = "payments.process_event"


@pytest.fixture(autouse=True)
def _secret(settings) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]


@pytest.fixture
def stripe(provider):
    """The official client, as staff of the shop use it in the dashboard."""
    return provider.client().v1


def pay(stripe, order=None, **fields) -> str:
    """A payment that is made at the provider, of which we know nothing; its id."""
    metadata = {"order": str(getattr(order, "public_id", order)), "attempt": "1"} if order else {}
    amount = order.amount if hasattr(order, "amount") else 1000
    wanted = {"amount": amount, "currency": "gbp", "payment_method": "pm_card_visa", "confirm": True}
    intent = stripe.payment_intents.create(
        {**wanted, "allowed_payment_method_types": ["card"], "metadata": metadata, **fields}
    )
    return intent.id


def begin(order) -> PaymentAttempt:
    """An attempt that is committed, and whose answer has not come."""
    with transaction.atomic():
        order.transition_to(Status.CHARGING, actor="payments")
    return PaymentAttempt.objects.create(
        order=order,
        number=1,
        idempotency_key=f"order-{order.public_id}-1",
        amount=order.amount,
        currency=order.currency,
    )


def tell(kind: str, reference: str, **fields) -> WebhookEvent:
    """The provider sends an event, and it is looked into once; nothing else is done."""
    assert deliver(Client(), event(kind, reference, **fields)).status_code == 200
    for job in enqueued(TASK):
        run_job(job)
    return WebhookEvent.objects.first()


def times_paid(order) -> int:
    return OrderEvent.objects.filter(order=order, kind=Status.PAID).count()


def intent_of(provider, order) -> str:
    """The id of the one payment that the provider has for an order."""
    [(reference,)] = provider.read_books(
        "SELECT id FROM intents WHERE body ->> '$.metadata.order' = ?", str(order.public_id)
    )
    return reference


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


@pytest.mark.django_db(transaction=True)
def test_an_event_that_comes_ten_times_at_once_is_processed_once(order, stripe, at_once):
    begin(order)
    document = event("payment_intent.succeeded", pay(stripe, order))
    answers = at_once([lambda: deliver(Client(), document)] * 10)
    assert [answer.status_code for answer in answers] == [200] * 10
    assert [ran.state for ran in drain() if ran.task == TASK] == ["SUCCESS"]
    order.refresh_from_db()
    assert times_paid(order) == 1
    assert JournalEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_event_that_is_processed_many_times_at_once_settles_once(order, stripe, at_once):
    begin(order)
    assert deliver(Client(), event("payment_intent.succeeded", pay(stripe, order))).status_code == 200
    stored = WebhookEvent.objects.get()
    outcomes = at_once([lambda: processing.process_event(stored.pk, is_last_try=False)] * 10)
    assert outcomes == [EventState.PROCESSED] * 10
    assert times_paid(order) == 1
    assert JournalEntry.objects.count() == 1


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
    assert tell("charge.refunded", "ch_old").state == EventState.IGNORED


def test_a_refund_that_the_provider_does_not_know_is_tried_again(provider, waiting):
    assert tell("refund.created", "re_unheard_of").state == EventState.RECEIVED
    assert len(enqueued(TASK)) == 1


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
