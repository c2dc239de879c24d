import uuid
from http import HTTPStatus

import pytest

from orders.carts import read_cart
from orders.models import Cart, CartLine
from tests.factories import make_product, make_user

CART, CHANGE, CHECKOUT = "/cart/", "/cart/change/", "/cart/checkout/"


@pytest.mark.parametrize("url", [CART, CHANGE, CHECKOUT])
def test_who_is_not_signed_in_is_asked_to(client, db, url):
    response = client.get(url) if url == CART else client.post(url)

    assert response.status_code == HTTPStatus.FOUND
    assert response["Location"] == f"/accounts/login/?next={url}"


@pytest.mark.parametrize("url", ["/cart/add/", CHANGE, CHECKOUT])
def test_what_changes_something_is_never_a_get(browser, url):
    assert browser.get(url).status_code == HTTPStatus.METHOD_NOT_ALLOWED


def test_an_empty_cart_says_where_to_go(browser):
    assert "There is nothing in it yet." in browser.get(CART).text


def test_looking_at_a_cart_stores_nothing(browser):
    browser.get(CART)

    assert Cart.objects.count() == 0


def test_the_cart_shows_prices_totals_and_what_the_checkout_agrees_to(browser, two_mugs):
    page = browser.get(CART).text

    assert "£4.50 each" in page
    assert '<span class="price">£9.00</span>' in page
    assert '<input type="hidden" name="agreed_amount" value="900" id="id_agreed_amount">' in page
    assert f'name="checkout_key" value="{Cart.objects.get().checkout_key}"' in page


def test_a_quantity_can_be_changed_and_a_line_removed(browser, two_mugs):
    browser.post(CHANGE, {"sku": "MUG", "quantity": 5})
    assert CartLine.objects.get().quantity == 5

    browser.post(CHANGE, {"sku": "MUG", "quantity": ["half typed", "0"]})  # the field, then the button Remove
    assert CartLine.objects.count() == 0


@pytest.mark.parametrize("quantity", ["-1", "1000", "x", ""])
def test_an_impossible_quantity_changes_nothing(browser, two_mugs, quantity):
    page = browser.post(CHANGE, {"sku": "MUG", "quantity": quantity}, follow=True)

    assert "Nothing was changed." in page.text
    assert CartLine.objects.get().quantity == 2


def test_changing_what_is_not_in_the_cart_adds_nothing(browser, two_mugs):
    browser.post(CHANGE, {"sku": make_product("CUP").sku, "quantity": 4})

    assert CartLine.objects.get().product == two_mugs


def test_nobody_changes_the_cart_of_somebody_else(client, shopper, two_mugs):
    client.force_login(make_user())

    client.post(CHANGE, {"sku": "MUG", "quantity": 0})

    assert CartLine.objects.get().cart.customer == shopper


def test_a_cart_page_that_was_never_shown_has_a_key_of_its_own(shopper):
    assert isinstance(read_cart(shopper).checkout_key, uuid.UUID)
    assert read_cart(shopper).checkout_key != read_cart(shopper).checkout_key


def test_a_quantity_that_cannot_be_had_is_not_called_up_to_date(browser, two_mugs):
    page = browser.post(CHANGE, {"sku": "MUG", "quantity": 11}, follow=True).text

    assert "Your cart is changed, but cannot be ordered like this: see below." in page
    assert "Only 10 left. Please take fewer." in page
    assert "up to date" not in page
