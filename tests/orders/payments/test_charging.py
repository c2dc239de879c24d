import pytest

from orders.models import Order
from orders.payments.charging import charge_order
from orders.payments.gateway import Unknown
from orders.payments.models import PaymentAttempt
from orders.states import Status
from tests.factories import make_order
from tests.orders.payments.looks import attempts, stock

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_good_card_pays_the_order_and_sets_the_rest_going(order, product, provider, waiting):
    charge_order(order.pk)

    order.refresh_from_db()
    attempt = order.payment_attempts.get()
    assert (order.status, order.reason) == (Status.PAID, "")
    assert (attempt.number, attempt.amount, attempt.currency, attempt.state) == (1, 1000, "GBP", "succeeded")
    assert provider.charges_of(order.public_id) == [(1000, "gbp")]
    assert provider.client().v1.payment_intents.retrieve(attempt.provider_ref).status == "succeeded"
    assert list(order.events.values_list("kind", flat=True))[-2:] == ["charging", "paid"]
    assert order.events.last().detail == {"provider_ref": attempt.provider_ref, "via": "reply"}
    assert stock(product) == (10, 4)
    assert waiting("default") == 1  # fulfil
    assert waiting("io") == 1  # the mail
    postings = order.journal_entries.get(kind="capture", provider_ref=attempt.provider_ref).postings
    assert list(postings.values_list("account", "amount", "currency")) == [
        ("provider", 1000, "GBP"),
        ("sales", -1000, "GBP"),
    ]


def test_a_declined_card_ends_the_order_with_words_and_gives_the_stock_back(
    order, product, provider, waiting
):
    Order.objects.update(payment_method="pm_card_chargeDeclinedInsufficientFunds")

    charge_order(order.pk)

    order.refresh_from_db()
    assert (order.status, order.reason) == (Status.PAYMENT_FAILED, "Your card has insufficient funds.")
    assert attempts(order) == [("declined", "insufficient_funds", "Your card has insufficient funds.")]
    assert provider.charges_of(order.public_id) == []
    assert stock(product) == (10, 0)
    assert waiting("default") == 0


def test_an_unknown_card_ends_the_order_likewise(order, product, provider):
    Order.objects.update(payment_method="pm_nobody")

    charge_order(order.pk)

    order.refresh_from_db()
    assert (order.status, order.reason) == (Status.PAYMENT_FAILED, "This payment method cannot be used.")
    assert attempts(order) == [("declined", "resource_missing", "This payment method cannot be used.")]
    assert stock(product) == (10, 0)


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.RESERVED, Status.CHARGING}))
def test_an_order_that_is_not_due_is_not_charged(status, provider, waiting):
    order = make_order(status=status)
    before = order.events.count()

    charge_order(order.pk)

    order.refresh_from_db()
    assert (order.status, order.events.count(), attempts(order)) == (status, before, [])
    assert provider.charges_of(order.public_id) == []


@pytest.mark.parametrize("card", ["pm_card_visa", "pm_card_chargeDeclined"])
def test_run_again_nothing_changes(order, product, provider, waiting, card):
    Order.objects.update(payment_method=card)
    charge_order(order.pk)
    before = (
        Order.objects.values().get(),
        list(PaymentAttempt.objects.values()),
        order.events.count(),
        stock(product),
        provider.charges_of(order.public_id),
        waiting("default"),
    )

    charge_order(order.pk)

    assert before == (
        Order.objects.values().get(),
        list(PaymentAttempt.objects.values()),
        order.events.count(),
        stock(product),
        provider.charges_of(order.public_id),
        waiting("default"),
    )


def test_sixteen_runs_at_once_charge_once(order, product, provider, waiting, at_once):
    outcomes = at_once([lambda: charge_order(order.pk)] * 16)

    assert {type(outcome) for outcome in outcomes} <= {type(None), Unknown}  # Unknown: the key was in use
    charge_order(order.pk)
    order.refresh_from_db()
    assert order.status == Status.PAID
    assert attempts(order) == [("succeeded", "", "")]
    assert provider.charges_of(order.public_id) == [(1000, "gbp")]
    assert order.events.filter(kind="paid").count() == 1
    assert waiting("default") == 1
    assert stock(product) == (10, 4)


def test_sixteen_runs_at_once_are_declined_once(order, product, provider, at_once):
    Order.objects.update(payment_method="pm_card_chargeDeclined")

    at_once([lambda: charge_order(order.pk)] * 16)

    charge_order(order.pk)
    order.refresh_from_db()
    assert (order.status, len(attempts(order))) == (Status.PAYMENT_FAILED, 1)
    assert order.events.filter(kind="payment_failed").count() == 1
    assert stock(product) == (10, 0)
