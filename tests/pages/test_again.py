"""An order that is over can be put into the cart once more: what to do after a card was declined."""

import uuid
from http import HTTPStatus

import pytest

from orders.carts import MAX_QUANTITY, add_to_cart
from orders.models import CartLine, Order
from orders.states import FINAL, Status
from tests.factories import make_order, make_product, make_user

TEXT = "Put it into the cart again"


def again(browser, order):
    return browser.post(f"{order.get_absolute_url()}again/", follow=True)


def cart() -> dict[str, int]:
    return dict(CartLine.objects.values_list("product__sku", "quantity"))


@pytest.mark.parametrize("status", sorted(Status))
def test_it_is_offered_when_the_order_is_over(browser, shopper, status):
    order = make_order(customer=shopper, status=status)

    assert (TEXT in browser.get(order.get_absolute_url()).text) == (status in FINAL)


def test_what_was_ordered_is_in_the_cart_and_nothing_is_ordered(browser, shopper):
    order = make_order(
        {make_product("A"): 3, make_product("B"): 1}, customer=shopper, status=Status.PAYMENT_FAILED
    )

    page = again(browser, order)

    assert page.redirect_chain == [("/cart/", HTTPStatus.FOUND)]
    assert "What you ordered is in your cart again." in page.text
    assert (cart(), Order.objects.count()) == ({"A": 3, "B": 1}, 1)


def test_a_second_click_adds_nothing_and_what_was_chosen_since_stays(browser, shopper):
    tea, cup = make_product("A"), make_product("B")
    order = make_order({tea: 3, cup: 1}, customer=shopper, status=Status.CANCELLED)
    add_to_cart(shopper, tea, 5)

    again(browser, order)
    again(browser, order)

    assert cart() == {"A": 5, "B": 1}


def test_what_is_not_sold_any_more_stays_out_and_that_is_said(browser, shopper):
    tea, cup = make_product("A"), make_product("B", on_hand=0)
    order = make_order({tea: 2, cup: 1}, customer=shopper)

    assert "The rest is gone." in again(browser, order).text
    assert cart() == {"A": 2}

    CartLine.objects.all().delete()
    type(tea).objects.update(active=False)
    page = again(browser, order)
    assert page.redirect_chain == [(order.get_absolute_url(), HTTPStatus.FOUND)]
    assert "None of it is sold any more" in page.text
    assert cart() == {}


def test_a_cart_holds_no_more_than_people_mean(browser, shopper):
    order = make_order({make_product("A", on_hand=5000): 2000}, customer=shopper, status=Status.COMPLETED)

    again(browser, order)

    assert cart() == {"A": MAX_QUANTITY}


def test_only_ones_own_and_only_by_a_form(browser, client, order):
    client.force_login(make_user())

    assert client.post(f"{order.get_absolute_url()}again/").status_code == HTTPStatus.NOT_FOUND
    assert browser.post(f"/orders/{uuid.uuid4()}/again/").status_code == HTTPStatus.NOT_FOUND
    assert browser.get(f"{order.get_absolute_url()}again/").status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert cart() == {}
