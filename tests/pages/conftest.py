import pytest
from django.contrib.auth.models import User
from django.test import Client

from orders.carts import add_to_cart
from orders.models import Order, Product
from orders.payments.models import RefundState
from orders.states import Status
from tests.factories import make_order, make_payment, make_product, make_refund, make_user


@pytest.fixture
def shopper(db) -> User:
    return make_user("shopper")


@pytest.fixture
def browser(shopper: User) -> Client:
    """A client in which the shopper is signed in."""
    client = Client()
    client.force_login(shopper)
    return client


@pytest.fixture
def mug(db) -> Product:
    return make_product("MUG", name="Blue mug", amount=450, on_hand=10)


@pytest.fixture
def two_mugs(shopper: User, mug: Product) -> Product:
    """They lie in the shopper's cart."""
    add_to_cart(shopper, mug, 2)
    return mug


@pytest.fixture
def order(shopper: User) -> Order:
    return make_order(customer=shopper)


@pytest.fixture
def busy(shopper: User) -> Order:
    """Many rows for every page of the shopper's; returns an order of twelve lines and twenty refunds."""
    products = [make_product() for _ in range(60)]
    for product in products[:40]:
        add_to_cart(shopper, product, 1)
    for _ in range(45):
        earlier = make_order({products[0]: 1, products[1]: 2}, customer=shopper)
        make_refund(make_payment(earlier), 100)
    order = make_order(dict.fromkeys(products[:12], 2), customer=shopper, status=Status.PAID)
    payment = make_payment(order)
    for state in sorted(RefundState) * 5:
        make_refund(payment, 10, state=state)
    return order
