import re

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from orders.payments.models import Account, AttemptState, EntryKind, JournalEntry, PaymentAttempt, Posting
from tests.factories import make_order, make_payment, make_refund, make_user

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


@pytest.fixture
def refund():
    order = make_order()
    return make_refund(make_payment(order, provider_ref="pi_1"), 125, provider_ref="re_1")


@pytest.fixture
def entry(refund):
    with transaction.atomic():  # an entry and its postings are one: the database looks at the commit
        entry = JournalEntry.objects.create(
            kind=EntryKind.REFUND, order=refund.attempt.order, provider_ref="re_1"
        )
        for account, amount in ((Account.REFUNDS, 125), (Account.PROVIDER, -125)):
            Posting.objects.create(entry=entry, account=account, amount=amount, currency="GBP")
    return entry


@pytest.mark.parametrize("model", ["paymentattempt", "refund", "journalentry"])
def test_every_list_leads_to_the_order_and_shows_money_as_people_write_it(staff_client, entry, model):
    page = staff_client.get(reverse(f"admin:payments_{model}_changelist")).text

    order = entry.order
    assert f'<a href="{reverse("admin:orders_order_change", args=[order.pk])}">order {order.pk}</a>' in page
    assert "£1.25" in page


@pytest.mark.parametrize("model", ["refund", "journalentry"])
@pytest.mark.parametrize("field", ["order.pk", "order.public_id", "re_1"])
def test_a_refund_and_its_entry_are_found_by_what_people_have_in_hand(staff_client, entry, model, field):
    # A public id that begins with no digit: an order's number is looked for at the beginning of public ids too.
    stranger = make_order(public_id="ffffffff-0000-4000-8000-000000000000")
    other = make_refund(make_payment(stranger, provider_ref="pi_2"), 1, provider_ref="re_2")
    found = {"refund": entry.order.payment_attempts.get().refunds.get(), "journalentry": entry}[model]
    value = {"order.pk": entry.order.pk, "order.public_id": entry.order.public_id}.get(field, field)
    response = staff_client.get(reverse(f"admin:payments_{model}_changelist"), {"q": str(value)})
    assert list(response.context["cl"].result_list) == [found]
    assert other.pk


def test_an_entry_shows_both_sides_of_it(staff_client, entry):
    page = staff_client.get(reverse("admin:payments_journalentry_change", args=[entry.pk])).text
    cells = [" ".join(cell.split()) for cell in re.findall(r"<p>(.*?)</p>", page, re.DOTALL)]
    assert [cells[1:4], cells[5:8]] == [["Refunds", "£1.25", ""], ["Provider", "", "£1.25"]]


@pytest.mark.parametrize("model", ["refund", "journalentry"])
def test_nobody_can_change_what_has_gone_back_or_is_booked(staff_client, refund, entry, model):
    row = {"refund": refund, "journalentry": entry}[model]
    page = reverse(f"admin:payments_{model}_change", args=[row.pk])
    assert staff_client.get(page).status_code == 200
    assert staff_client.post(page, {"state": "failed"}).status_code == 403
    assert staff_client.post(reverse(f"admin:payments_{model}_delete", args=[row.pk])).status_code == 403
    assert staff_client.get(reverse(f"admin:payments_{model}_add")).status_code == 403


@pytest.mark.parametrize("model", ["refund", "journalentry"])
def test_long_lists_of_refunds_and_entries_cost_as_many_queries_as_short_ones(
    staff_client, entry, model, django_assert_num_queries
):
    url = reverse(f"admin:payments_{model}_changelist")
    with CaptureQueriesContext(connection) as short:
        staff_client.get(url)
    for number in range(20):
        order = make_order()
        make_refund(make_payment(order), 1)
        with transaction.atomic():
            entry = JournalEntry.objects.create(
                kind=EntryKind.CAPTURE, order=order, provider_ref=f"pi_x{number}"
            )
            for account, amount in ((Account.PROVIDER, 1), (Account.SALES, -1)):
                Posting.objects.create(entry=entry, account=account, amount=amount, currency="GBP")
    with django_assert_num_queries(len(short)):
        staff_client.get(url)
