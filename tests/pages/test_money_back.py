"""What the customer reads of their money once an order has ended, or part of it goes back."""

import pytest
import time_machine
from django.utils.formats import date_format

from orders.balance import read_balance
from orders.models import Order
from orders.payments.models import AttemptState, RefundState
from orders.states import FINAL, Status
from orders.timeline import REFUND_WORDS, tell_money
from tests.factories import make_order, make_payment, make_product, make_refund
from tests.pages.markup import Markup

pytestmark = pytest.mark.django_db

EARLY = sorted(FINAL - {Status.COMPLETED})
NOT_CHARGED = "You have not been charged."


def told(order) -> str:
    fresh = Order.objects.get(pk=order.pk)
    return tell_money(fresh, read_balance(fresh))


def test_every_state_of_a_refund_has_words():
    assert set(REFUND_WORDS) == set(RefundState)


@pytest.mark.parametrize("status", EARLY)
def test_that_nothing_was_charged_is_said_when_nothing_was_asked_for(status):
    assert told(make_order(status=status)) == NOT_CHARGED


@pytest.mark.parametrize("state", [AttemptState.DECLINED, AttemptState.VOIDED])
@pytest.mark.parametrize("status", [Status.PAYMENT_FAILED, Status.CANCELLED])
def test_and_when_the_provider_took_nothing(status, state):
    order = make_order(status=status)
    make_payment(order, state=state)

    assert told(order) == NOT_CHARGED


@pytest.mark.parametrize("state", [AttemptState.SENT, AttemptState.UNKNOWN])
@pytest.mark.parametrize("status", [Status.PAYMENT_FAILED, Status.CANCELLED])
def test_while_the_outcome_is_open_it_is_not(status, state):
    order = make_order(status=status)
    make_payment(order, state=state)

    assert told(order) == (
        "The payment had begun: we are asking whether your card was charged, and if so, all of it goes back."
    )


@pytest.mark.parametrize("status", sorted(set(Status) - FINAL))
def test_an_order_that_goes_on_says_nothing_of_charges_that_are_not_over(status):
    order = make_order(status=status)
    make_payment(order, state=AttemptState.SENT)

    assert told(order) == ""


def test_a_completed_order_says_nothing_of_its_money_unless_some_goes_back():
    order = make_order(status=Status.COMPLETED)
    payment = make_payment(order)
    assert told(order) == ""

    make_refund(payment, 125, state=RefundState.REQUESTED)

    assert told(order) == "£1.25 is about to go back to your card; we write to you when it does."


def test_what_went_back_is_told_with_the_day_and_what_is_under_way_beside_it():
    order = make_order(status=Status.CANCELLED)
    payment = make_payment(order)
    with time_machine.travel("2026-03-04 12:00Z"):
        make_refund(payment, 100)
    make_refund(payment, 300, state=RefundState.UNKNOWN)

    assert told(order) == (
        "£1.00 went back to your card on 4 March 2026. "
        "£3.00 is about to go back to your card; we write to you when it does. "
        "We still have £1.00 of yours, and are seeing to it that it goes back to your card."
    )


def test_a_refund_that_failed_is_not_passed_over():
    order = make_order(status=Status.CANCELLED)
    make_refund(make_payment(order), 500, state=RefundState.FAILED)

    assert told(order) == "We still have £5.00 of yours, and are seeing to it that it goes back to your card."


@pytest.mark.parametrize("state", sorted(RefundState))
def test_the_page_lists_each_refund_with_its_amount_state_days_and_reason(browser, shopper, state):
    order = make_order(customer=shopper, status=Status.CANCELLED)
    refund = make_refund(make_payment(order), 125, state=state, reason="One <b>handle</b> was missing")

    page = browser.get(order.get_absolute_url())
    markup = Markup(page.text)
    words = " ".join(markup.text.split())

    day = date_format(refund.created_at, "j F Y")
    assert markup.faults == []
    assert (
        f"Money back £1.25 {REFUND_WORDS[state][0]} One <b>handle</b> was missing Asked for on {day}" in words
    )
    assert (f"gone back on {day}" in words) == (state == RefundState.SUCCEEDED)
    assert (f"Asked for on {day}. We are looking into it." in words) == (state == RefundState.FAILED)
    assert ("Gone back £1.25" in words) == (state == RefundState.SUCCEEDED)
    assert ("About to go back £1.25" in words) == (state in {RefundState.REQUESTED, RefundState.UNKNOWN})


def test_a_page_without_refunds_does_not_speak_of_them(browser, shopper):
    order = make_order(customer=shopper, status=Status.COMPLETED)
    make_payment(order)

    page = browser.get(order.get_absolute_url()).text

    assert "Money back" not in page
    assert "Gone back" not in page


def test_a_refunded_order_says_so(browser, shopper):
    order = make_order(customer=shopper, status=Status.REFUNDED)
    make_refund(make_payment(order), 500)

    page = browser.get(order.get_absolute_url()).text

    assert '<span class="chip chip-warn">Refunded</span>' in page
    assert "This order is over. £5.00 went back to your card on " in page
    assert "not been charged" not in page


def test_the_list_shows_what_went_back_and_what_is_under_way(browser, shopper):
    order = make_order({make_product(amount=1000): 1}, customer=shopper, status=Status.CANCELLED)
    payment = make_payment(order)
    make_refund(payment, 400)
    make_refund(payment, 250, state=RefundState.REQUESTED)

    words = " ".join(Markup(browser.get("/orders/").text).text.split())

    assert "£10.00 £4.00 gone back £2.50 going back" in words


@pytest.mark.parametrize(
    ("payment", "refund", "moves"),
    [
        (AttemptState.UNKNOWN, None, True),
        (AttemptState.VOIDED, None, False),
        (AttemptState.SUCCEEDED, RefundState.REQUESTED, True),
        (AttemptState.SUCCEEDED, RefundState.UNKNOWN, True),
        (AttemptState.SUCCEEDED, RefundState.SUCCEEDED, False),
        (AttemptState.SUCCEEDED, RefundState.FAILED, False),
    ],
)
def test_the_page_of_an_ended_order_follows_its_money_to_the_end(browser, shopper, payment, refund, moves):
    order = make_order(customer=shopper, status=Status.CANCELLED)
    attempt = make_payment(order, state=payment)
    if refund is not None:
        make_refund(attempt, 500, state=refund)

    page = browser.get(order.get_absolute_url()).text

    assert ('hx-trigger="every 10s"' in page) == moves
    assert ('http-equiv="refresh" content="11"' in page) == moves
    assert ("hx-trigger" in page) == moves


def test_a_page_that_follows_sees_that_money_went_back(browser, shopper):
    order = make_order(customer=shopper, status=Status.CANCELLED)
    refund = make_refund(make_payment(order), 500, state=RefundState.REQUESTED)
    url, headers = order.get_absolute_url(), {"hx-request": "true"}
    seen = browser.get(url, headers=headers).context["timeline"].seen
    assert browser.get(f"{url}?seen={seen}", headers=headers).status_code == 204

    refund.state = RefundState.SUCCEEDED
    refund.save()

    fragment = browser.get(f"{url}?seen={seen}", headers=headers).text
    assert "£5.00 went back to your card on " in fragment
    assert "hx-trigger" not in fragment


def test_a_charge_without_outcome_is_not_shown_as_not_needed(browser, shopper):
    order = make_order(customer=shopper, status=Status.CHARGING)
    make_payment(order, state=AttemptState.UNKNOWN)
    browser.post(f"{order.get_absolute_url()}cancel/")

    stages = browser.get(order.get_absolute_url()).context["timeline"].stages

    assert [(stage.word, stage.mark) for stage in stages][2] == ("Being looked up", "is-retrying")
