"""Giving money back in the admin: how much and why, whether that is meant, and one refund however often it is clicked."""

from functools import partial

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from orders import services
from orders.errors import RefundOutdated, RefundRefused
from orders.models import Order
from orders.payments.models import AttemptState, PaymentAttempt, Refund, RefundState
from orders.states import Status
from proj.jobs.models import AuditEntry
from proj.jobs.testing import assert_enqueued, enqueued, without_broker
from tests.factories import make_order, make_payment, make_product, make_refund, make_user
from tests.pages.markup import Markup

pytestmark = pytest.mark.django_db


@pytest.fixture
def order() -> Order:
    """Completed, £20.00 captured, £5.00 of it gone back and £1.00 under way: £14.00 are left."""
    order = make_order({make_product(amount=2000): 1}, status=Status.COMPLETED)
    payment = make_payment(order)
    make_refund(payment, 500)
    make_refund(payment, 100, state=RefundState.REQUESTED)
    return order


def page_of(order) -> str:
    return reverse("admin:orders_order_refund", args=[order.pk])


def send(client, order, amount="4.00", reason="A handle was missing.", **fields):
    with without_broker():
        return client.post(page_of(order), {"amount": amount, "reason": reason, **fields}, follow=True)


def words(response) -> str:
    return " ".join(Markup(response.text).text.split())


def messages_of(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def asked_for() -> list[tuple[int, str]]:
    return list(Refund.objects.order_by("pk").values_list("amount", "state"))[2:]


def test_the_form_shows_what_was_captured_went_back_and_is_left(boss, order):
    response = boss.get(page_of(order))

    assert (
        "Order £20.00, completed Captured £20.00 Gone back £5.00 About to go back £1.00 Left £14.00"
        in words(response)
    )
    assert 'name="amount" value="14.00"' in response.text
    assert "At most £14.00." in response.text
    assert "step=" in response.text  # a number, for the keyboard of a phone


def test_what_was_filled_in_is_asked_for_again_and_nothing_has_happened(boss, order):
    response = send(boss, order)

    assert (
        "Goes back now £4.00 Left after that £10.00 Reason, which the customer reads A handle was missing."
        in (words(response))
    )
    assert "Yes, give £4.00 back" in response.text
    assert 'name="number" value="3"' in response.text
    assert (asked_for(), enqueued(), AuditEntry.objects.count()) == ([], [], 0)


def test_once_confirmed_the_refund_is_asked_for(boss, order):
    response = send(boss, order, number=3)

    assert response.redirect_chain == [(reverse("admin:orders_order_change", args=[order.pk]), 302)]
    assert messages_of(response) == ["£4.00 goes back to the customer, who gets a mail when it does."]
    refund = Refund.objects.first()
    assert (refund.amount, refund.reason, refund.requested_by) == (400, "A handle was missing.", "boss")
    assert (refund.state, refund.attempt.order) == ("requested", order)
    assert PaymentAttempt.objects.get().refunded == 1000
    assert_enqueued("payments.send_refund", args=[refund.pk])
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.target, entry.reason) == (
        "boss",
        "order.refund",
        f"order:{order.pk}",
        "A handle was missing.",
    )
    assert entry.after == {"refund": refund.pk, "amount": 400, "currency": "GBP"}


def test_two_clicks_are_one_refund_and_both_say_so(boss, order):
    first, second = send(boss, order, number=3), send(boss, order, number=3)

    assert messages_of(first) == messages_of(second)
    assert asked_for() == [(400, "requested")]
    assert (len(enqueued("payments.send_refund")), AuditEntry.objects.count()) == (1, 1)


def test_two_clicks_that_give_all_of_it_back_are_one_refund_too(boss, order):
    for _ in range(2):
        response = send(boss, order, amount="14.00", number=3)

    assert messages_of(response) == ["£14.00 goes back to the customer, who gets a mail when it does."]
    assert asked_for() == [(1400, "requested")]


@pytest.mark.django_db(transaction=True)
def test_clicks_at_the_same_time_are_one_refund(order, at_once, waiting):
    clients = []
    boss = make_user("boss", is_staff=True, is_superuser=True)
    for _ in range(5):
        client = Client()
        client.force_login(boss)
        clients.append(client)
    fields = {"amount": "4.00", "reason": "Twice.", "number": 3}

    responses = at_once(partial(client.post, page_of(order), fields) for client in clients)

    assert [response.status_code for response in responses] == [302] * 5
    assert asked_for() == [(400, "requested")]


@pytest.mark.parametrize(
    "other", [{"amount": "3.00"}, {"reason": "Because."}, {"number": 2}, {"number": 1}, {"number": 9}]
)
def test_who_had_not_seen_another_refund_gets_to_see_it_first(boss, order, other):
    send(boss, order, number=3)

    response = send(boss, order, **{"number": 3, **other})

    assert messages_of(response) == [f"Nothing was asked for. {RefundOutdated().detail}"]
    assert response.redirect_chain == [(page_of(order), 302)]
    assert asked_for() == [(400, "requested")]


def test_what_a_colleague_asked_for_is_not_taken_for_ones_own(boss, order):
    services.refund_order(order.pk, 400, number=3, reason="A handle was missing.", actor="colleague")

    response = send(boss, order, number=3)

    assert messages_of(response) == [f"Nothing was asked for. {RefundOutdated().detail}"]
    assert asked_for() == [(400, "requested")]


@pytest.mark.parametrize(
    ("amount", "error"),
    [
        ("14.01", "No more than £14.00 can be given back."),
        ("99999999999", "No more than £14.00 can be given back."),
        ("0", "Ensure this value is greater than or equal to 0.01."),
        ("-1", "Ensure this value is greater than or equal to 0.01."),
        ("1.005", "Ensure that there are no more than 2 decimal places."),
        ("NaN", "Enter a number."),
        ("1e5000", "Ensure that there are no more than 18 digits in total."),
        ("a few", "Enter a number."),
        ("", "This field is required."),
    ],
)
def test_an_amount_that_cannot_be_given_back_is_refused_in_the_form(boss, order, amount, error):
    response = send(boss, order, amount=amount)

    assert error in response.text
    assert "Yes, give" not in response.text
    assert asked_for() == []


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_a_refund_needs_a_reason_that_can_be_kept(boss, order, reason):
    assert "reason" in send(boss, order, reason=reason).context["form"].errors

    assert asked_for() == []


def test_what_has_become_too_much_since_it_was_confirmed_is_refused(boss, order):
    PaymentAttempt.objects.update(refunded=1900)

    response = send(boss, order, number=3)

    assert messages_of(response) == ["Nothing was asked for. No more than £1.00 can be given back."]
    assert (asked_for(), AuditEntry.objects.count()) == ([], 0)


@pytest.mark.parametrize(
    ("state", "refunded", "why"),
    [
        (AttemptState.UNKNOWN, 0, "Its payment has no outcome yet."),
        (AttemptState.DECLINED, 0, "Nothing was paid."),
        (AttemptState.SUCCEEDED, 500, "All of £5.00 has gone back, or is about to."),
    ],
)
def test_when_nothing_is_left_the_page_says_why_and_has_no_form(boss, state, refunded, why):
    order = make_order(status=Status.PAYMENT_FAILED)
    payment = make_payment(order, state=state)
    if refunded:
        make_refund(payment, refunded)

    page = words(boss.get(page_of(order)))
    sent = send(boss, order, amount="1.00")

    assert f"Nothing can be given back: {why}" in page
    assert "Continue" not in page
    assert f"Nothing can be given back: {why}" in words(sent)
    assert Refund.objects.filter(state="requested").count() == 0


@pytest.mark.parametrize(
    ("currency", "captured", "typed", "minor"),
    [("JPY", 1200, "500", 500), ("KWD", 12500, "1.250", 1250), ("EUR", 1200, "5", 500)],
)
def test_amounts_are_in_the_units_of_people_in_every_currency(boss, currency, captured, typed, minor):
    order = make_order({make_product(amount=captured): 1}, status=Status.COMPLETED, currency=currency)
    make_payment(order)

    assert f"Amount in {currency}" in boss.get(page_of(order)).text
    send(boss, order, amount=typed, number=1)

    assert Refund.objects.get().amount == minor


def test_what_the_provider_cannot_move_exactly_is_refused_with_the_reason(boss):
    order = make_order({make_product(amount=12500): 1}, status=Status.COMPLETED, currency="KWD")
    make_payment(order)

    response = send(boss, order, amount="1.255", number=1)

    assert messages_of(response)[0].startswith("Nothing was asked for.")
    assert "exactly" in messages_of(response)[0]
    assert Refund.objects.count() == 0


def test_who_gives_money_back_for_an_order_under_way_is_told_that_its_goods_are_sent(boss):
    order = make_order(status=Status.PAID)
    make_payment(order)

    assert "To call it off, cancel it" in boss.get(page_of(order)).text


@pytest.mark.parametrize("permissions", [["view_order"], ["view_order", "cancel_order"], ["refund_order"]])
def test_without_the_permission_nothing_can_be_given_back(client, order, permissions):
    staff = make_user(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(staff)

    assert client.get(page_of(order)).status_code == 403
    assert send(client, order, number=3).status_code == 403
    assert asked_for() == []


def test_with_the_permission_it_can(client, order):
    staff = make_user(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["view_order", "refund_order"]))
    client.force_login(staff)

    assert "Continue" in client.get(page_of(order)).text
    send(client, order, number=3)

    assert asked_for() == [(400, "requested")]


@pytest.mark.parametrize("identity", ["0", "x", "99999999999999999999"])
def test_an_order_that_is_not_there_has_no_page(boss, identity):
    assert boss.get(f"/admin/orders/order/{identity}/refund/").status_code == 404


def test_a_form_from_elsewhere_gives_nothing_back(order):
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(is_staff=True, is_superuser=True))

    assert send(client, order, number=3).status_code == 403
    assert asked_for() == []


def test_the_pages_are_clean_markup(boss, order):
    for response in (boss.get(page_of(order)), send(boss, order)):
        body = response.text[response.text.index('<div id="content"') :]
        assert [fault for fault in Markup(body).faults if "leads elsewhere" in fault] == []


@pytest.mark.parametrize("amount", [0, -5])
def test_the_service_refuses_what_is_no_amount(order, amount):
    with pytest.raises(RefundRefused):
        services.refund_order(order.pk, amount, number=3, reason="?", actor="boss")

    assert asked_for() == []
