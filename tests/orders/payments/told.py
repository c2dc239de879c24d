"""Events of the provider and what they are about, for the tests of what becomes of them."""

import pytest
from django.db import transaction
from django.test import Client

from orders.models import OrderEvent
from orders.payments.models import PaymentAttempt, WebhookEvent
from orders.states import Status
from proj.jobs.testing import enqueued, run_job
from tests.orders.payments.signed import SECRET, deliver, event

TASK = "payments.process_event"


@pytest.fixture(autouse=True)
def secret(settings) -> str:
    """What the provider signs its webhooks with."""
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    return SECRET


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
