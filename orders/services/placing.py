import hashlib
import json
import re
from collections.abc import Sequence
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db import transaction

from orders import pipeline
from orders.errors import (
    AmountTooLarge,
    EmptyOrder,
    IdempotencyMismatch,
    InvalidIdempotencyKey,
    InvalidPaymentMethod,
    InvalidQuantity,
    MixedCurrencies,
    TooManyLines,
    UnknownProduct,
)
from orders.models import IdempotencyKey, Order, OrderLine, OrderStep, Product
from orders.models.catalogue import MAX_AMOUNT
from orders.states import Step

#: Above the largest real ones we know: 80,995 pieces of one product, 1,114 lines (UCI Online Retail, 2010-2011).
MAX_QUANTITY = 100_000
MAX_LINES = 2_000


class LineRequest(NamedTuple):
    sku: str
    quantity: int


class Placed(NamedTuple):
    order: Order
    created: bool  # False: the idempotency key had placed this order before


def place_order(
    customer: User,
    lines: Sequence[LineRequest],
    *,
    express: bool = False,
    payment_method: str = "pm_card_visa",
    idempotency_key: str | None = None,
) -> Placed:
    """Store an order at today's prices and enqueue its pipeline.

    Lines with the same sku are added up. With an idempotency key (the customer's own, kept for a day) the same
    request, even at the same time, places one order and returns that one again.
    Raises a subclass of OrderRefused, and stores nothing, when the request cannot be accepted.
    """
    wanted = _merge(lines)
    if not re.fullmatch(r"pm_\w{1,60}", payment_method, re.ASCII):
        raise InvalidPaymentMethod
    with transaction.atomic():
        if idempotency_key is None:
            return Placed(_write(customer, wanted, express, payment_method), created=True)
        claim, is_new = _claim(customer, idempotency_key, _fingerprint(wanted, express, payment_method))
        if not is_new:
            return Placed(Order.objects.get(idempotency_key=claim), created=False)
        order = _write(customer, wanted, express, payment_method)
        claim.order = order
        claim.save(update_fields=["order"])
        return Placed(order, created=True)


def _merge(lines: Sequence[LineRequest]) -> dict[str, int]:
    """Quantities by sku, in sku order, each within bounds."""
    wanted: dict[str, int] = {}
    for sku, quantity in sorted(lines):
        if not 1 <= quantity <= MAX_QUANTITY:
            raise InvalidQuantity(sku, MAX_QUANTITY)
        wanted[sku] = wanted.get(sku, 0) + quantity
    if not wanted:
        raise EmptyOrder
    if len(wanted) > MAX_LINES:
        raise TooManyLines(MAX_LINES)
    for sku, quantity in wanted.items():
        if quantity > MAX_QUANTITY:
            raise InvalidQuantity(sku, MAX_QUANTITY)
    return wanted


def _claim(customer: User, key: str, fingerprint: str) -> tuple[IdempotencyKey, bool]:
    """The customer's key, and whether it is ours to place an order with.

    The unique constraint decides: whoever comes second waits here until the first has committed, then finds
    its order; or, if the first was refused, becomes the first.
    """
    if not re.fullmatch(r"[\x20-\x7e]{1,255}", key):
        raise InvalidIdempotencyKey
    claim, is_new = IdempotencyKey.objects.get_or_create(
        customer=customer, key=key, defaults={"fingerprint": fingerprint}
    )
    if claim.fingerprint != fingerprint:
        raise IdempotencyMismatch
    return claim, is_new


def _fingerprint(wanted: dict[str, int], express: bool, payment_method: str) -> str:  # noqa: FBT001  private
    asked = json.dumps([wanted, express, payment_method])
    return hashlib.sha256(asked.encode()).hexdigest()


def _write(customer: User, wanted: dict[str, int], express: bool, payment_method: str) -> Order:  # noqa: FBT001
    products = _find_products(wanted)
    amount = sum(product.amount * wanted[product.sku] for product in products)
    if amount > MAX_AMOUNT:
        raise AmountTooLarge
    order = Order.objects.create(
        customer=customer,
        express=express,
        amount=amount,
        currency=products[0].currency,
        payment_method=payment_method,
    )
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order,
            product=product,
            sku=product.sku,
            name=product.name,
            quantity=wanted[product.sku],
            amount=product.amount,
        )
        for product in products
    )
    OrderStep.objects.bulk_create(OrderStep(order=order, name=step) for step in Step)
    order.note("placed", actor=customer.get_username())
    pipeline.start(order)
    return order


def _find_products(wanted: dict[str, int]) -> list[Product]:
    # PostgreSQL has no text with a NUL in it, so neither has the catalogue.
    possible = [sku for sku in wanted if "\x00" not in sku]
    products = list(Product.objects.on_sale().filter(sku__in=possible).order_by("sku"))
    for sku in wanted.keys() - {product.sku for product in products}:
        raise UnknownProduct(sku)
    if len({product.currency for product in products}) > 1:
        raise MixedCurrencies
    return products
