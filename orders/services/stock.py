from django.db import transaction
from django.db.models import F, OuterRef, QuerySet, Subquery

from orders import locks
from orders.errors import StockTooLow
from orders.models import Order, OrderLine, Product, StockItem
from orders.states import Status


def reserve_stock(order_id: int) -> Order:
    """Hold the stock of every line, or of none: an order that cannot be had as a whole is out of stock."""
    with transaction.atomic():
        order = locks.lock_order(order_id)
        if order.status == Status.VALIDATED:
            shortage = _find_shortage(order)
            if shortage:
                order.transition_to(Status.OUT_OF_STOCK, actor="system", reason=shortage)
            else:
                _stock_of(order).update(reserved=F("reserved") + _quantity_in(order))
                order.transition_to(Status.RESERVED, actor="system")
        return order


def release_stock(order: Order) -> None:
    """Give back what the order holds. Needs the transaction that ends the order, with the order locked."""
    locks.lock_stock_of(order)
    _stock_of(order).update(reserved=F("reserved") - _quantity_in(order))


def take_stock(order: Order) -> None:
    """Let what the order holds leave the house. Needs the transaction that fulfils it, with the order locked."""
    locks.lock_stock_of(order)
    quantity = _quantity_in(order)
    _stock_of(order).update(on_hand=F("on_hand") - quantity, reserved=F("reserved") - quantity)


def set_on_hand(product: Product, on_hand: int) -> None:
    """Write down how many there are, as counted; `reserved` stays what it is.

    Raises StockTooLow, and changes nothing, when live orders hold more than that.
    """
    with transaction.atomic():
        stock = locks.lock_stock(product.pk)
        if on_hand < stock.reserved:
            raise StockTooLow(product.sku, stock.reserved)
        stock.on_hand = on_hand
        stock.save(update_fields=["on_hand"])


def _find_shortage(order: Order) -> str:
    """What is missing, as a sentence; empty if nothing is. The stock stays locked, so the answer stays true."""
    available = {stock.product_id: stock.available for stock in locks.lock_stock_of(order)}
    for line in order.lines.all():
        left = available.get(line.product_id, 0)
        if left < line.quantity:
            return f"{line.quantity} of {line.sku} were wanted, {left} are left."
    return ""


def _stock_of(order: Order) -> QuerySet[StockItem]:
    return StockItem.objects.filter(product__order_lines__order=order)


def _quantity_in(order: Order) -> Subquery:
    """For each row of stock, how many of it the order has: one query, however many lines."""
    return Subquery(OrderLine.objects.filter(order=order, product=OuterRef("pk")).values("quantity"))
