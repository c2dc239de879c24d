from collections.abc import Iterable
from typing import NamedTuple

from django.db import transaction

from orders.models import Product, StockItem


class CatalogueRow(NamedTuple):
    sku: str
    name: str
    amount: int  # in the minor unit
    on_hand: int
    currency: str = "GBP"


class Loaded(NamedTuple):
    created: int
    changed: int
    unchanged: int


def load_catalogue(rows: Iterable[CatalogueRow]) -> Loaded:
    """Put products on sale, with four queries however many, each sku at most once among `rows`.

    A product that is there takes the new name, price and currency. Its stock is left alone: it has been counted
    and sold since, so loading the same rows again changes nothing.
    """
    wanted = {row.sku: row for row in rows}
    with transaction.atomic():
        known = {product.sku: product for product in Product.objects.filter(sku__in=wanted)}
        outdated = [product for sku, product in known.items() if _update(product, wanted[sku])]
        Product.objects.bulk_update(outdated, ["name", "amount", "currency"])
        missing = [row for sku, row in wanted.items() if sku not in known]
        products = Product.objects.bulk_create(
            Product(sku=row.sku, name=row.name, amount=row.amount, currency=row.currency) for row in missing
        )
        StockItem.objects.bulk_create(
            StockItem(product=product, on_hand=wanted[product.sku].on_hand) for product in products
        )
    return Loaded(len(missing), len(outdated), len(known) - len(outdated))


def _update(product: Product, row: CatalogueRow) -> bool:
    """Whether the product had to change to be as the row says."""
    before = (product.name, product.amount, product.currency)
    product.name, product.amount, product.currency = row.name, row.amount, row.currency
    return before != (row.name, row.amount, row.currency)
