"""Stock that is held for orders, against the orders that hold it."""

from collections.abc import Iterator
from typing import Any

from django.db.models import F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from orders.models import OrderLine, StockItem
from orders.payments.models import IncidentKind
from orders.payments.reconciling.difference import Difference
from orders.states import HOLDS_STOCK


def find_stock_differences(stock: QuerySet[StockItem]) -> Iterator[Difference]:
    """One statement, and so one snapshot: an order and its stock change in one transaction, and nothing is in flight."""
    rows: Any = held(stock)
    wrong = rows.exclude(reserved=F("held")).order_by("product__sku")
    for item in wrong.values("pk", "product__sku", "on_hand", "reserved", "held"):
        sku, on_hand, reserved, wanted = (
            item[name] for name in ("product__sku", "on_hand", "reserved", "held")
        )
        yield Difference(
            IncidentKind.STOCK_DIFFERS,
            f"product:{item['pk']}",
            f"{reserved} of {sku} are reserved, and live orders hold {wanted}.",
            repair=f"Reserve {wanted}." if wanted <= on_hand else "",
            detail={
                "stock": {"sku": sku, "on_hand": on_hand, "reserved": reserved},
                "orders": {"hold": wanted},
            },
        )


def held(stock: QuerySet[StockItem]) -> QuerySet[StockItem, Any]:
    """Each row of stock with `held`, what live orders have of it."""
    lines = OrderLine.objects.filter(product=OuterRef("pk"), order__status__in=HOLDS_STOCK)
    total = lines.order_by().values("product").annotate(pieces=Sum("quantity")).values("pieces")
    return stock.annotate(held=Coalesce(Subquery(total), 0))
