"""The provider's list, read in pages: whole, once, and in spite of faults."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders.models import Order
from orders.payments.gateway import Unknown
from orders.payments.models import AttemptState, PaymentAttempt, Provider
from orders.payments.reconciling import Window, captures, givebacks, streams
from tests.factories import make_order, make_product, make_user
from tests.orders.payments.reconciling import seeds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def window():
    now = timezone.now()
    return Window(now - timedelta(hours=1), now + timedelta(minutes=1))


@pytest.fixture
def small_pages(monkeypatch):
    monkeypatch.setattr(streams, "BATCH", 3)
    monkeypatch.setattr(streams, "PAUSE", 0)


def spread(shop, references):
    """Made one minute after the other, and the last two in the same second."""
    first = int((timezone.now() - timedelta(minutes=30)).timestamp())
    for number, reference in enumerate(references):
        created = first + 60 * min(number, len(references) - 2)
        shop.rewrite("intents", reference, created=created)
        shop.provider.write_books("UPDATE intents SET created = ? WHERE id = ?", created, reference)


def test_every_payment_comes_once_newest_first(shop, window, small_pages):
    made = [shop.charge(None, key=f"key-{n}").reference for n in range(8)]

    batches = list(streams.payments(window))

    assert [len(batch) for batch in batches] == [3, 3, 2]
    assert [payment.reference for batch in batches for payment in batch] == made[::-1]


@pytest.mark.parametrize("same_second", [True, False])
def test_a_list_that_breaks_off_goes_on_where_it_broke_and_nothing_comes_twice(
    shop, window, small_pages, monkeypatch, same_second
):
    made = [shop.charge(None, key=f"key-{n}").reference for n in range(8)]
    if not same_second:
        spread(shop, made)
    real, calls = streams.through, Counter()

    def through(what, **options):
        calls["all"] += 1
        if calls["all"] in {2, 3, 5}:
            raise Unknown("The connection was cut.")
        return real(what, **options)

    monkeypatch.setattr(streams, "through", through)
    found = [payment.reference for batch in streams.payments(window) for payment in batch]

    assert found == made[::-1]


def test_faults_of_the_provider_itself_are_survived(shop, window, monkeypatch):
    monkeypatch.setattr(streams, "PAUSE", 0)
    Provider.objects.update(opens_after=1000)
    made = {shop.charge(None, key=f"key-{n}").reference for n in range(5)}
    shop.provider.set_faults([{"fault": "drop_before", "path": "/v1/payment_intents", "times": 3}])

    found = [payment.reference for batch in streams.payments(window) for payment in batch]

    assert sorted(found) == sorted(made)


def test_a_provider_that_stays_away_is_given_up(shop, window, small_pages, settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    Provider.objects.update(opens_after=1000)

    with pytest.raises(Unknown):
        list(streams.payments(window))


def test_refunds_come_once_also_after_a_break(shop, window, small_pages, monkeypatch):
    payment = shop.charge(None, key="one").reference
    made = [shop.give_back(payment, 100, key=f"key-{n}") for n in range(7)]
    real, calls = streams.through, Counter()

    def through(what, **options):
        calls["all"] += 1
        if calls["all"] == 2:
            raise Unknown("The connection was cut.")
        return real(what, **options)

    monkeypatch.setattr(streams, "through", through)

    assert [receipt.reference for batch in streams.receipts(window) for receipt in batch] == made[::-1]


def many(shop, count):
    """Captured attempts, made within a few seconds, two of them at the same moment."""
    product, customer, now = make_product(on_hand=1000), make_user(), timezone.now()
    attempts = []
    for number in range(count):
        order = make_order({product: 1}, customer=customer)
        attempts.append(
            PaymentAttempt(
                order=order,
                number=1,
                idempotency_key=f"many-{order.pk}",
                amount=250,
                currency="GBP",
                payment_method="pm_card_visa",
                state=AttemptState.SUCCEEDED,
                provider_ref=f"pi_many{number}",
                created_at=now - timedelta(seconds=number // 2),
            )
        )
    return PaymentAttempt.objects.bulk_create(attempts)


def test_our_side_comes_in_batches_oldest_first_and_once(shop, window, small_pages):
    made = many(shop, 8)

    batches = list(captures.settled_attempts(window))

    expected = sorted(made, key=lambda attempt: (attempt.created_at, attempt.pk))
    assert [len(batch) for batch in batches] == [3, 3, 2]
    assert [attempt.pk for batch in batches for attempt in batch] == [attempt.pk for attempt in expected]


@pytest.mark.parametrize("count", [1, 20])
def test_a_batch_costs_as_many_queries_however_many_payments_it_has(shop, window, count):
    for _ in range(count):
        seeds.capture_unsettled(shop)
    [payments] = streams.payments(window)

    with CaptureQueriesContext(connection) as asked:
        found = captures.read_payments(payments)
        captures.in_flight(found)

    assert len(found) == count
    assert len(asked) == 4


@pytest.mark.parametrize("count", [1, 10])
def test_a_batch_of_refunds_costs_as_many_queries_however_many_it_has(shop, window, count):
    for _ in range(count):
        refund = seeds.requested(shop.paid(), 400)
        shop.give_back(refund.attempt.provider_ref, 400, key=refund.idempotency_key, refund=str(refund.pk))
    [receipts] = streams.receipts(window)

    with CaptureQueriesContext(connection) as asked:
        found = givebacks.read_receipts(receipts)
        givebacks.in_flight(found)

    assert len([giveback for giveback in found if giveback.refund is not None]) == count
    assert len(asked) == 4


def test_what_a_payments_metadata_says_is_not_believed(shop, window):
    """Anything can be written there, also what is no id at all."""
    for number, order in enumerate(["", "42", "not-a-uuid", "\N{GRINNING FACE}"]):
        shop.charge(None, key=f"key-{number}", order=order)
    payment = shop.charge(None, key="refunded").reference
    for number, refund in enumerate(["0", "9" * 30, "\N{SUPERSCRIPT TWO}", "-1"]):
        shop.give_back(payment, 100, key=f"refund-{number}", refund=refund)

    found = captures.read_payments([p for batch in streams.payments(window) for p in batch])
    back = givebacks.read_receipts([r for batch in streams.receipts(window) for r in batch])

    assert [capture.order for capture in found] == [None] * 5
    assert [giveback.refund for giveback in back] == [None] * 4
    assert Order.objects.count() == 0
