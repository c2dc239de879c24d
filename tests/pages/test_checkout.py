from http import HTTPStatus

import pytest

from orders.carts import add_to_cart, read_cart
from orders.models import Cart, CartLine, Order, Product, StockItem
from tests.factories import make_product, make_user

CART, CHECKOUT = "/cart/", "/cart/checkout/"
CHANGED = "Your cart has changed since you last saw it. Nothing was ordered: please look again."


def checkout_form(shopper, **changes):
    """What the checkout form of the page as it is now would send."""
    basket = read_cart(shopper)
    fields = {
        "checkout_key": basket.checkout_key,
        "agreed_amount": basket.amount,
        "payment_method": "pm_card_visa",
    }
    return {**fields, **changes}


def test_checking_out_places_the_order_and_empties_the_cart(browser, shopper, two_mugs):
    key = Cart.objects.update_or_create(customer=shopper)[0].checkout_key

    response = browser.post(
        CHECKOUT, checkout_form(shopper, express="on", payment_method="pm_card_mastercard")
    )

    order = Order.objects.get()
    assert (response.status_code, response["Location"]) == (HTTPStatus.FOUND, f"/orders/{order.public_id}/")
    assert (order.customer, order.amount, order.express) == (shopper, 900, True)
    assert order.payment_method == "pm_card_mastercard"
    assert list(order.lines.values_list("sku", "quantity", "amount")) == [("MUG", 2, 450)]
    assert CartLine.objects.count() == 0
    assert Cart.objects.get().checkout_key != key


def test_the_same_form_sent_twice_places_one_order(browser, shopper, two_mugs):
    form = checkout_form(shopper)

    first, second = browser.post(CHECKOUT, form), browser.post(CHECKOUT, form, follow=True)

    assert Order.objects.count() == 1
    assert second.redirect_chain == [(first["Location"], HTTPStatus.FOUND)]
    assert "Nothing was ordered twice." in second.text


def test_an_old_form_never_orders_what_was_put_into_the_cart_since(browser, shopper, two_mugs):
    form = checkout_form(shopper)
    browser.post(CHECKOUT, form)
    add_to_cart(shopper, two_mugs, 1)

    browser.post(CHECKOUT, form)

    assert Order.objects.count() == 1
    assert CartLine.objects.get().quantity == 1


def test_a_price_that_changed_is_shown_before_anything_is_ordered(browser, shopper, two_mugs):
    form = checkout_form(shopper)
    two_mugs.amount = 460
    two_mugs.save()

    page = browser.post(CHECKOUT, form, follow=True)

    assert CHANGED in page.text
    assert '<span class="price">£9.20</span>' in page.text
    assert Order.objects.count() == 0
    assert CartLine.objects.get().quantity == 2


@pytest.mark.parametrize(
    ("on_hand", "active", "message"),
    [
        (1, True, "Only 1 left. Please take fewer."),
        (0, True, "Sold out. Please remove it."),
        (10, False, "No longer sold. Please remove it."),
    ],
)
def test_what_cannot_be_had_is_said_and_cannot_be_ordered(browser, two_mugs, on_hand, active, message):
    form = checkout_form(Cart.objects.get().customer)
    StockItem.objects.update(on_hand=on_hand)
    Product.objects.update(active=active)

    page = browser.get(CART).text
    refusal = browser.post(CHECKOUT, form, follow=True).text

    assert message in page
    assert "<button disabled>Place the order</button>" in page
    assert CHANGED in refusal
    assert Order.objects.count() == 0


def test_an_empty_cart_orders_nothing(browser, shopper):
    page = browser.post(CHECKOUT, checkout_form(shopper), follow=True)

    assert "An order needs at least one line." in page.text
    assert Order.objects.count() == 0


def test_two_currencies_are_not_one_order(browser, shopper, two_mugs):
    add_to_cart(shopper, make_product(currency="EUR"), 1)

    page = browser.post(CHECKOUT, checkout_form(shopper), follow=True)

    assert "All products of an order must be priced in the same currency." in page.text
    assert Order.objects.count() == 0
    assert CartLine.objects.count() == 2


@pytest.mark.parametrize(
    "change",
    [
        {"payment_method": "pm_card_unknown"},
        {"checkout_key": "x"},
        {"agreed_amount": ""},
        {"agreed_amount": "9e3"},
    ],
)
def test_a_form_that_no_page_sends_orders_nothing(browser, shopper, two_mugs, change):
    response = browser.post(CHECKOUT, checkout_form(shopper, **change))

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert Order.objects.count() == 0
    assert CartLine.objects.get().quantity == 2


def test_a_key_of_somebody_else_leads_to_nothing_of_theirs(client, shopper, browser, two_mugs):
    form = checkout_form(shopper)
    browser.post(CHECKOUT, form)
    other = make_user()
    client.force_login(other)

    page = client.post(CHECKOUT, form, follow=True)

    assert page.redirect_chain == [(CART, HTTPStatus.FOUND)]
    assert Order.objects.get().customer == shopper
