"""The only place that takes row locks, so that there is one order of locking: an order, then its stock by sku.

Every transaction that follows it can wait for another, but no two can wait for each other.
"""

from typing import TYPE_CHECKING

from django.apps import apps
from django.db.models import QuerySet

if TYPE_CHECKING:  # at run time the models import this module
    from orders.models import Order, StockItem


def lock_order(order_id: int) -> "Order":
    """The order as it is now, ours until the end of the transaction.

    `no_key`: rows that point at the order (a step, an event) may still be written by others.
    Raises Order.DoesNotExist.
    """
    model: type[Order] = apps.get_model("orders", "Order")
    return model.objects.select_for_update(of=("self",), no_key=True).get(pk=order_id)


def lock_stock_of(order: "Order") -> list["StockItem"]:
    """The stock of every product in an order that is already locked, by sku, each with its product.

    PostgreSQL locks rows in the order in which the query returns them, hence the sort.
    """
    model: type[StockItem] = apps.get_model("orders", "StockItem")
    return list(
        model.objects.filter(product__order_lines__order=order)
        .select_related("product")
        .order_by("product__sku")
        .select_for_update(of=("self",), no_key=True)
    )


def lock_stock(product_id: int) -> "StockItem":
    """The stock of one product, for whoever holds no other lock. A product without a row gets an empty one."""
    model: type[StockItem] = apps.get_model("orders", "StockItem")
    return model.objects.select_for_update(no_key=True).get_or_create(product_id=product_id)[0]


def skip_locked_orders(orders: "QuerySet[Order]") -> "QuerySet[Order]":
    """Those of `orders` that nobody is working on at this moment, locked."""
    return orders.select_for_update(of=("self",), no_key=True, skip_locked=True)
