from http import HTTPStatus

import pytest

from orders.states import CANCELLABLE, Status
from tests.factories import make_order

TOO_LATE = sorted(set(Status) - CANCELLABLE - {Status.CANCELLED})


def test_cancelling_asks_first(browser, order):
    page = browser.get(f"{order.get_absolute_url()}cancel/").text

    order.refresh_from_db()
    assert "Cancel this order?" in page
    assert order.status == Status.PLACED


@pytest.mark.parametrize("status", sorted(CANCELLABLE))
def test_cancelling_in_time_cancels(browser, shopper, status):
    order = make_order(customer=shopper, status=status)

    page = browser.post(f"{order.get_absolute_url()}cancel/", follow=True)

    order.refresh_from_db()
    assert order.status == Status.CANCELLED
    assert order.events.last().actor == "shopper"
    assert page.redirect_chain == [(order.get_absolute_url(), HTTPStatus.FOUND)]
    assert "Your order is cancelled. You have not been charged." in page.text


@pytest.mark.parametrize("status", TOO_LATE)
def test_cancelling_too_late_says_so_and_changes_nothing(browser, shopper, status):
    order = make_order(customer=shopper, status=status)

    page = browser.post(f"{order.get_absolute_url()}cancel/", follow=True)

    order.refresh_from_db()
    assert "It was too late to cancel." in page.text
    assert order.status == status
    assert "Too late to cancel" in browser.get(f"{order.get_absolute_url()}cancel/").text
