import pytest
from django.urls import reverse

from orders.payments.models import AttemptState, PaymentAttempt
from tests.factories import make_order, make_user

LIST = reverse("admin:payments_paymentattempt_changelist")

pytestmark = pytest.mark.django_db


@pytest.fixture
def attempt() -> PaymentAttempt:
    order = make_order()
    return PaymentAttempt.objects.create(
        order=order,
        number=1,
        idempotency_key=f"order-{order.public_id}-1",
        amount=500,
        currency="GBP",
        state=AttemptState.UNKNOWN,
        provider_ref="pi_found",
    )


@pytest.fixture
def staff_client(client):
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


@pytest.mark.parametrize("field", ["order.pk", "order.public_id", "provider_ref", "idempotency_key"])
def test_an_attempt_is_found_by_what_people_have_in_hand(staff_client, attempt, field):
    other = make_order(public_id="ffffffff-ffff-4fff-bfff-ffffffffffff")  # begins with no order's number
    PaymentAttempt.objects.create(order=other, number=1, idempotency_key="other", amount=1, currency="GBP")
    value = attempt
    for name in field.split("."):
        value = getattr(value, name)
    found = staff_client.get(LIST, {"q": str(value)}).context["cl"].result_list
    assert list(found) == [attempt]


def test_what_nobody_has_in_hand_finds_nothing(staff_client, attempt):
    assert list(staff_client.get(LIST, {"q": "no such thing"}).context["cl"].result_list) == []


def test_a_long_list_costs_as_many_queries_as_a_short_one(
    staff_client, attempt, django_assert_max_num_queries
):
    for number in range(20):
        PaymentAttempt.objects.create(
            order=make_order(), number=1, idempotency_key=f"key {number}", amount=1, currency="GBP"
        )
    with django_assert_max_num_queries(8):
        assert staff_client.get(LIST).status_code == 200


def test_nobody_can_change_what_happened_at_the_provider(staff_client, attempt):
    page = reverse("admin:payments_paymentattempt_change", args=[attempt.pk])
    assert staff_client.get(page).status_code == 200
    assert staff_client.post(page, {"state": "succeeded"}).status_code == 403
    assert (
        staff_client.post(reverse("admin:payments_paymentattempt_delete", args=[attempt.pk])).status_code
        == 403
    )
    assert staff_client.get(reverse("admin:payments_paymentattempt_add")).status_code == 403
    attempt.refresh_from_db()
    assert attempt.state == AttemptState.UNKNOWN
