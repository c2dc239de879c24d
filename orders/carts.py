"""The cart: what a customer means to order. Its prices are the catalogue's until the order is placed."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Least
from django.utils import timezone

from orders.errors import EmptyOrder, OrderRefused
from orders.models import Cart, CartLine, IdempotencyKey, Order, Product
from orders.services import LineRequest, Placed, place_order

#: What somebody means who types a quantity into a page. Programs order more, by the API.
MAX_QUANTITY = 999


class CartChanged(OrderRefused):
    """What is in the cart is no longer what the customer saw."""

    code = "cart_changed"


@dataclass(frozen=True)
class BasketLine:
    """One product of a cart as it stands now. `problem` says why it cannot be ordered like this."""

    line: CartLine

    @property
    def product(self) -> Product:
        return self.line.product

    @property
    def quantity(self) -> int:
        return self.line.quantity

    @property
    def total(self) -> int:
        """In the minor unit."""
        return self.quantity * self.product.amount

    @property
    def problem(self) -> str:
        if not self.product.active:
            return "No longer sold. Please remove it."
        if not self.product.available:
            return "Sold out. Please remove it."
        if self.quantity > self.product.available:
            return f"Only {self.product.available} left. Please take fewer."
        return ""


@dataclass(frozen=True)
class Basket:
    """A cart as it stands now: prices and stock as of this moment."""

    lines: list[BasketLine]
    checkout_key: uuid.UUID

    @property
    def amount(self) -> int:
        """In the minor unit of `currency`."""
        return sum(line.total for line in self.lines)

    @property
    def currency(self) -> str:
        return self.lines[0].product.currency if self.lines else ""

    @property
    def has_problems(self) -> bool:
        return any(line.problem for line in self.lines)


def read_cart(customer: User) -> Basket:
    """Return the customer's cart; one that was never used is empty. Two queries."""
    cart = Cart.objects.filter(customer=customer).first()
    if cart is None:
        return Basket(lines=[], checkout_key=uuid.uuid4())
    lines = cart.lines.select_related("product__stock")
    return Basket(lines=[BasketLine(line) for line in lines], checkout_key=cart.checkout_key)


def quantities_in_cart(customer: User, products: Iterable[Product]) -> dict[int, int]:
    """Return how many of each of these products the cart holds, by the product's primary key. One query."""
    lines = CartLine.objects.filter(cart__customer=customer, product__in=list(products))
    return dict(lines.order_by().values_list("product_id", "quantity"))


@transaction.atomic
def add_to_cart(customer: User, product: Product, quantity: int) -> int:
    """Add so many of a product, up to MAX_QUANTITY in all; return how many the cart then holds."""
    cart, _ = Cart.objects.update_or_create(customer=customer, defaults={"updated_at": timezone.now()})
    line, created = CartLine.objects.get_or_create(
        cart=cart, product=product, defaults={"quantity": quantity}
    )
    if not created:
        line.quantity = Least(F("quantity") + quantity, MAX_QUANTITY)
        line.save(update_fields=["quantity"])
        line.refresh_from_db(fields=["quantity"])
    return line.quantity


@transaction.atomic
def order_again(customer: User, order: Order) -> int:
    """Put what was ordered once into the cart, as far as it is still there to be had; return how many products that are.

    What the cart holds already stays as it is, so that a second click adds nothing.
    """
    cart, _ = Cart.objects.update_or_create(customer=customer, defaults={"updated_at": timezone.now()})
    ordered = dict(order.lines.values_list("product_id", "quantity"))
    products = Product.objects.on_sale().with_stock().filter(pk__in=ordered)
    lines = [
        CartLine(cart=cart, product=product, quantity=min(ordered[product.pk], MAX_QUANTITY))
        for product in products
        if product.available
    ]
    CartLine.objects.bulk_create(lines, ignore_conflicts=True)
    return len(lines)


@transaction.atomic
def change_quantity(customer: User, sku: str, quantity: int) -> None:
    """Set how many of a product the cart holds; 0 takes it out. A product that is not in it stays out."""
    lines = CartLine.objects.filter(cart__customer=customer, product__sku=sku)
    if quantity:
        lines.update(quantity=quantity)
    else:
        lines.delete()
    Cart.objects.filter(customer=customer).update(updated_at=timezone.now())


@transaction.atomic
def check_out(
    customer: User, *, key: uuid.UUID, agreed_amount: int, express: bool, payment_method: str
) -> Placed:
    """Order what the cart holds and empty it, in one transaction.

    `key` is the checkout_key of the page that was submitted: sent twice, from two clicks or two tabs, it places one
    order and answers with it both times. `agreed_amount` is the total on that page, in the minor unit.
    Raises OrderRefused, and changes nothing, when the cart is empty or is not what the customer agreed to.
    """
    basket = read_cart(customer)
    # Looked up after the cart was read: whoever finds it emptied by the same checkout finds that checkout's order.
    earlier = IdempotencyKey.objects.filter(customer=customer, key=str(key)).select_related("order").first()
    if earlier and earlier.order:
        return Placed(order=earlier.order, created=False)
    if not basket.lines:
        raise EmptyOrder
    if basket.has_problems or basket.amount != agreed_amount:
        raise CartChanged(
            "Your cart has changed since you last saw it. Nothing was ordered: please look again."
        )
    placed = place_order(
        customer,
        [LineRequest(sku=line.product.sku, quantity=line.quantity) for line in basket.lines],
        express=express,
        payment_method=payment_method,
        idempotency_key=str(key),
    )
    CartLine.objects.filter(pk__in=[line.line.pk for line in basket.lines]).delete()
    Cart.objects.filter(customer=customer, checkout_key=key).update(checkout_key=uuid.uuid4())
    return placed
