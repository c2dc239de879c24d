import pytest
from django.db import IntegrityError, transaction

from orders.models import Order
from orders.payments.models import LIVE, AttemptState, PaymentAttempt

pytestmark = pytest.mark.django_db


def make_attempt(order: Order, number: int, state: str, **fields: object) -> PaymentAttempt:
    values = {"amount": 1, "currency": "GBP", "idempotency_key": f"{order.pk}-{number}", **fields}
    return PaymentAttempt.objects.create(order=order, number=number, state=state, **values)


@pytest.mark.parametrize("first", sorted(LIVE))
@pytest.mark.parametrize("second", sorted(LIVE))
def test_the_database_allows_one_live_attempt_for_an_order(order, first, second):
    make_attempt(order, 1, first)
    with pytest.raises(IntegrityError, match="payment_one_live_per_order"), transaction.atomic():
        make_attempt(order, 2, second)


def test_a_declined_attempt_may_be_followed_by_another(order):
    make_attempt(order, 1, AttemptState.DECLINED)
    make_attempt(order, 2, AttemptState.DECLINED)
    make_attempt(order, 3, AttemptState.SENT)
    assert order.payment_attempts.count() == 3


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"state": "hoped"}, "payment_state_known"),
        ({"amount": 0}, "payment_amount_positive"),
        ({"currency": "gbp"}, "payment_currency_iso"),
        ({"number": 1}, "payment_number_once_per_order"),
        ({"provider_ref": "pi_1"}, "payment_provider_ref_once"),
    ],
)
def test_the_database_refuses_attempts_that_make_no_sense(order, fields, constraint):
    make_attempt(order, 1, AttemptState.DECLINED, provider_ref="pi_1", idempotency_key="first")
    values = {"number": 2, "state": "declined", **fields}
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        make_attempt(order, **values)
