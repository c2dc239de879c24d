"""Two clicks at the same moment, each on a connection of its own."""

import pytest

from orders.carts import add_to_cart, check_out, read_cart
from orders.errors import OrderRefused
from orders.models import Cart, CartLine, Order, StockItem
from tests.factories import make_product, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_same_checkout_twenty_times_at_once_places_one_order(at_once, waiting):
    shopper, product = make_user(), make_product()
    add_to_cart(shopper, product, 2)
    basket = read_cart(shopper)

    def click():
        return check_out(
            shopper,
            key=basket.checkout_key,
            agreed_amount=basket.amount,
            express=False,
            payment_method="pm_card_visa",
        )

    outcomes = at_once([click] * 20)

    assert {outcome.order.pk for outcome in outcomes} == {Order.objects.get().pk}
    assert sorted(outcome.created for outcome in outcomes) == [False] * 19 + [True]
    assert CartLine.objects.count() == 0
    assert waiting("default") == 1


def test_adding_at_once_adds_up(at_once):
    shopper, product = make_user(), make_product()

    outcomes = at_once([lambda: add_to_cart(shopper, product, 1)] * 20)

    assert sorted(outcomes) == list(range(1, 21))
    assert CartLine.objects.get().quantity == 20


def test_a_refused_checkout_keeps_the_cart_and_its_key():
    shopper, product = make_user(), make_product(on_hand=1)
    add_to_cart(shopper, product, 1)
    key = Cart.objects.get().checkout_key
    StockItem.objects.update(on_hand=0)

    with pytest.raises(OrderRefused) as refusal:
        check_out(shopper, key=key, agreed_amount=250, express=False, payment_method="pm_card_visa")

    assert refusal.value.code == "cart_changed"
    assert Order.objects.count() == 0
    assert (Cart.objects.get().checkout_key, CartLine.objects.get().quantity) == (key, 1)
