"""The back office: orders are looked at, called off and given money back for; products and their stock are edited."""

from orders.admin.aftermath import NotificationAdmin, SaleAdmin
from orders.admin.order import OrderAdmin
from orders.admin.product import ProductAdmin
from orders.admin.readonly import ReadOnly, link

__all__ = ["NotificationAdmin", "OrderAdmin", "ProductAdmin", "ReadOnly", "SaleAdmin", "link"]
