"""One file for each noun; everybody imports them from here."""

from orders.models.cart import Cart, CartLine
from orders.models.catalogue import Product, StockItem
from orders.models.idempotency import IdempotencyKey
from orders.models.journal import OrderEvent, OrderStep
from orders.models.notification import Notification
from orders.models.order import Order, OrderLine
from orders.models.sale import Sale

__all__ = [
    "Cart",
    "CartLine",
    "IdempotencyKey",
    "Notification",
    "Order",
    "OrderEvent",
    "OrderLine",
    "OrderStep",
    "Product",
    "Sale",
    "StockItem",
]
