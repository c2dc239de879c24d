"""The comparison of the money must see every kind of disagreement, too."""

import pytest
from django.db import transaction
from django.utils import timezone

from orders.models import Notification
from orders.payments.journal import book_capture, book_refund
from orders.payments.models import (
    AttemptState,
    EventState,
    Incident,
    PaymentAttempt,
    Refund,
    RefundState,
    WebhookEvent,
)
from orders.states import Status
from proj.demo.money import check_letters, check_money, check_refunds, check_webhooks
from proj.demo.provider import Money, ProvidersBooks
from proj.demo.sample import SampleOrder
from proj.demo.shoppers import Watched
from tests.factories import make_order, make_product

pytestmark = pytest.mark.django_db

CHARGE, REFUND = Money("pi_1", 590, "GBP"), Money("re_1", 100, "GBP")


def wrong(checks) -> list[str]:
    return [check.name for check in checks if not check.agrees]


@pytest.fixture
def order():
    """A completed order of two, paid with pi_1, of which re_1 has given back a pound."""
    order = make_order({make_product("85123A", amount=295, on_hand=10): 2}, status=Status.COMPLETED)
    attempt = PaymentAttempt.objects.create(
        order=order,
        number=1,
        idempotency_key="1",
        amount=590,
        currency="GBP",
        payment_method="pm_card_visa",
        state=AttemptState.SUCCEEDED,
        provider_ref="pi_1",
        refunded=100,
    )
    Refund.objects.create(
        attempt=attempt,
        idempotency_key="2",
        amount=100,
        currency="GBP",
        reason="It arrived broken.",
        requested_by="clerk",
        state=RefundState.SUCCEEDED,
        provider_ref="re_1",
    )
    with transaction.atomic():
        book_capture(order, "pi_1", 590, "GBP")
        book_refund(order, "re_1", 100, "GBP")
    return order


@pytest.fixture
def seen(order) -> list[Watched]:
    asked = SampleOrder("536365", {"85123A": 2}, express=False, payment_method="pm_card_visa")
    return [Watched(None, asked, {"id": str(order.public_id), "status": "completed", "amount": 590})]


@pytest.fixture
def given_back(order) -> dict[str, int]:
    return {str(order.public_id): 100}


def books(events=(), undelivered=()) -> ProvidersBooks:
    return ProvidersBooks([CHARGE], [REFUND], list(events), list(undelivered))


def test_money_that_adds_up_is_found_to_add_up(seen, given_back):
    assert wrong([*check_money(seen, [CHARGE]), *check_refunds(given_back, [REFUND])]) == []


@pytest.mark.parametrize(
    ("charges", "expected"),
    [
        ([], ["charges at the provider", "pence at the provider", "charges only one side knows"]),
        ([CHARGE, CHARGE], ["charges at the provider", "orders charged twice", "pence at the provider"]),
        ([Money("pi_1", 591, "GBP")], ["pence at the provider", "charges only one side knows"]),
        ([Money("pi_2", 590, "GBP")], ["charges only one side knows"]),
        ([Money("pi_1", 590, "EUR")], ["charges only one side knows"]),
    ],
)
def test_a_charge_that_is_missing_double_or_different_is_seen(seen, charges, expected):
    assert wrong(check_money(seen, charges)) == expected


def test_a_sale_that_was_not_recorded_is_seen(seen, order):
    order.sale.delete()
    assert wrong(check_money(seen, [CHARGE])) == ["pence in recorded sales"]


def test_a_capture_that_was_not_booked_or_booked_for_nothing_is_seen(seen, order):
    with transaction.atomic():
        book_capture(order, "pi_2", 1, "GBP")
    assert wrong(check_money(seen, [CHARGE])) == ["pence of sales in the journal"]


def test_a_payment_without_an_outcome_is_seen(seen, order):
    other = make_order({make_product("71053", amount=100): 1}, status=Status.CHARGING)
    PaymentAttempt.objects.create(
        order=other, number=1, idempotency_key="3", amount=100, currency="GBP", payment_method="pm_card_visa"
    )
    assert wrong(check_money(seen, [CHARGE])) == ["payments without an outcome"]


@pytest.mark.parametrize(
    ("refunds", "expected"),
    [
        ([], ["refunds at the provider", "pence given back at the provider", "refunds only one side knows"]),
        ([REFUND, REFUND], ["refunds at the provider", "pence given back at the provider"]),
        (
            [Money("re_1", 101, "GBP")],
            ["pence given back at the provider", "refunds only one side knows"],
        ),
        ([Money("re_2", 100, "GBP")], ["refunds only one side knows"]),
    ],
)
def test_a_refund_that_is_missing_double_or_different_is_seen(given_back, refunds, expected):
    assert wrong(check_refunds(given_back, refunds)) == expected


def test_money_given_back_that_nobody_asked_for_is_seen(given_back):
    assert wrong(check_refunds({}, [])) == [
        "refunds only one side knows",
        "orders with another sum given back",
        "pence of refunds in the journal",
    ]


def test_an_event_that_is_lost_not_delivered_or_not_seen_to_is_seen():
    assert wrong(check_webhooks(books())) == []
    assert wrong(check_webhooks(books(["evt_1"], ["refund.created"]))) == [
        "webhooks still to be delivered",
        "events only one side knows",
    ]
    event = WebhookEvent.objects.create(
        provider="stripe", event_id="evt_1", kind="refund.created", payload={}, created_at=timezone.now()
    )
    assert wrong(check_webhooks(books(["evt_1"]))) == ["events not seen to"]
    event.state = EventState.PROCESSED
    event.save()
    assert wrong(check_webhooks(books(["evt_1"]))) == []


def test_an_incident_is_seen():
    Incident.objects.create(kind="stray_capture", fingerprint="pi_9", summary="Whose is it?")
    assert wrong(check_webhooks(books())) == ["incidents"]


def test_a_letter_that_was_not_sent_or_sent_for_nothing_is_seen(seen, order, given_back):
    Notification.objects.all().delete()
    assert wrong(check_letters(seen, given_back)) == ["customers written to"]
    for kind in ("paid", "fulfilled", "refunded"):
        Notification.objects.create(order=order, kind=kind, sent_at=timezone.now())
    assert wrong(check_letters(seen, given_back)) == []
    Notification.objects.create(order=order, kind="refunded", reference="2", sent_at=timezone.now())
    assert wrong(check_letters(seen, given_back)) == ["customers written to"]
