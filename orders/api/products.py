from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from ninja import Query, Router

from orders.api.schemas import ProductFilter, ProductPage
from orders.models import Product
from proj.api.paging import paginate

router = Router(tags=["products"])


@router.get("", response=ProductPage, auth=None)  # as public as the catalogue's page
def list_products(request: HttpRequest, filters: Query[ProductFilter]) -> dict[str, Any]:  # noqa: ARG001  ninja's
    """List the products on sale by sku, each with how many can be ordered now."""
    products = Product.objects.on_sale().with_stock()
    if filters.q:
        products = products.filter(Q(name__icontains=filters.q) | Q(sku__icontains=filters.q))
    return paginate(products, filters.cursor, filters.limit, lambda product: product, field="sku")
