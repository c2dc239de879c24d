from http import HTTPStatus

import pytest

from orders.payments.models import AttemptState, Refund
from orders.states import CANCELLABLE, Status
from proj.jobs.testing import assert_enqueued, without_broker
from tests.factories import make_order, make_payment, make_refund

TOO_LATE = sorted(set(Status) - CANCELLABLE - {Status.CANCELLED})


def test_cancelling_asks_first(browser, order):
    page = browser.get(f"{order.get_absolute_url()}cancel/").text

    order.refresh_from_db()
    assert "Cancel this order?" in page
    assert order.status == Status.PLACED


@pytest.mark.parametrize("status", sorted(CANCELLABLE))
def test_cancelling_in_time_cancels(browser, shopper, status):
    order = make_order(customer=shopper, status=status)

    with without_broker():
        page = browser.post(f"{order.get_absolute_url()}cancel/", follow=True)

    order.refresh_from_db()
    assert order.status == Status.CANCELLED
    assert order.events.filter(kind="cancelled").get().actor == "shopper"
    assert page.redirect_chain == [(order.get_absolute_url(), HTTPStatus.FOUND)]
    assert "Your order is cancelled. You have not been charged." in page.text


@pytest.mark.parametrize("state", [AttemptState.SENT, AttemptState.UNKNOWN])
def test_who_cancels_while_the_card_is_charged_is_told_no_more_than_is_known(browser, shopper, state):
    order = make_order(customer=shopper, status=Status.CHARGING)
    make_payment(order, state=state)
    asked = browser.get(f"{order.get_absolute_url()}cancel/").text

    page = browser.post(f"{order.get_absolute_url()}cancel/", follow=True).text

    order.refresh_from_db()
    assert order.status == Status.CANCELLED
    assert "Your payment has begun. If your card is charged, all of it goes back to it." in asked
    assert "we are asking whether your card was charged, and if so, all of it goes back." in page
    assert "You have not been charged" not in asked + page


def test_who_cancels_a_paid_order_is_told_what_goes_back(browser, shopper):
    order = make_order(customer=shopper, status=Status.PAID)
    make_payment(order)
    asked = browser.get(f"{order.get_absolute_url()}cancel/").text

    with without_broker():
        page = browser.post(f"{order.get_absolute_url()}cancel/", follow=True).text

    order.refresh_from_db()
    assert order.status == Status.CANCELLED
    assert "£5.00 goes back to your card." in asked
    assert (
        "Your order is cancelled. £5.00 is about to go back to your card; we write to you when it does."
        in page
    )
    assert "You have not been charged" not in asked + page
    refund = Refund.objects.get()
    assert (refund.amount, refund.requested_by, refund.state) == (500, "shopper", "requested")
    assert_enqueued("payments.send_refund", args=[refund.pk])


def test_a_paid_order_whose_money_went_back_can_still_be_called_off(browser, shopper):
    order = make_order(customer=shopper, status=Status.PAID)
    make_refund(make_payment(order), 500)
    asked = browser.get(f"{order.get_absolute_url()}cancel/").text

    page = browser.post(f"{order.get_absolute_url()}cancel/", follow=True).text

    order.refresh_from_db()
    assert order.status == Status.REFUNDED
    assert "What you paid has gone back already, or is about to." in asked
    assert "Your order is cancelled. £5.00 went back to your card on " in page
    assert Refund.objects.count() == 1


@pytest.mark.parametrize("status", TOO_LATE)
def test_cancelling_too_late_says_so_and_changes_nothing(browser, shopper, status):
    order = make_order(customer=shopper, status=status)

    page = browser.post(f"{order.get_absolute_url()}cancel/", follow=True)

    order.refresh_from_db()
    assert "It was too late to cancel." in page.text
    assert order.status == status
    assert "Too late to cancel" in browser.get(f"{order.get_absolute_url()}cancel/").text
