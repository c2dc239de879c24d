from datetime import timedelta

import pytest
from django.utils import timezone

from orders.models import Cart, CartLine, IdempotencyKey, Order, Product
from orders.retention import purge_carts, purge_idempotency_keys
from proj.jobs import retention
from tests.factories import make_order, make_product, make_user

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def make_cart(age: timedelta) -> Cart:
    cart = Cart.objects.create(customer=make_user(), updated_at=NOW - age)
    CartLine.objects.create(cart=cart, product=make_product())
    CartLine.objects.create(cart=cart, product=make_product())
    return cart


def make_key(age: timedelta) -> IdempotencyKey:
    order = make_order()
    return IdempotencyKey.objects.create(
        customer=order.customer, key="k", fingerprint="f", order=order, created_at=NOW - age
    )


def test_carts_are_kept_for_thirty_days():
    kept = make_cart(timedelta(days=30))
    for _ in range(3):
        make_cart(timedelta(days=30, seconds=1))

    assert [purge_carts(2, NOW), purge_carts(2, NOW), purge_carts(2, NOW)] == [2, 1, 0]

    assert list(Cart.objects.all()) == [kept]
    assert (CartLine.objects.count(), Product.objects.count()) == (2, 8)


def test_idempotency_keys_are_kept_for_a_day_and_their_orders_for_longer():
    kept = make_key(timedelta(hours=24))
    for _ in range(3):
        make_key(timedelta(hours=24, seconds=1))

    assert [purge_idempotency_keys(2, NOW), purge_idempotency_keys(2, NOW)] == [2, 1]

    assert list(IdempotencyKey.objects.all()) == [kept]
    assert Order.objects.count() == 4


def test_the_nightly_clean_up_knows_both():
    purges = retention.registered()

    assert (purges["carts"], purges["idempotency keys"]) == (purge_carts, purge_idempotency_keys)
