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
    orders: QuerySet[Order] = apps.get_model("orders", "Order")._default_manager.all()
    return orders.select_for_update(of=("self",), no_key=True).get(pk=order_id)


def lock_stock_of(order: "Order") -> list["StockItem"]:
    """The stock of every product in an order that is already locked, by sku, each with its product.

    PostgreSQL locks rows in the order in which the query returns them, hence the sort.
    """
    stock: QuerySet[StockItem] = apps.get_model("orders", "StockItem")._default_manager.all()
    return list(
        stock.filter(product__order_lines__order=order)
        .select_related("product")
        .order_by("product__sku")
        .select_for_update(of=("self",), no_key=True)
    )


def skip_locked_orders(orders: "QuerySet[Order]") -> "QuerySet[Order]":
    """Those of `orders` that nobody is working on at this moment, locked."""
    return orders.select_for_update(of=("self",), no_key=True, skip_locked=True)
