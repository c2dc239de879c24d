from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from ninja import Router

from orders.api.orders import orders_of
from orders.live import ORDER
from proj.live.answers import DESCRIBED, follow

router = Router(tags=["orders"])


@router.get("/{order_id}/events", response={200: None}, openapi_extra=DESCRIBED)
def follow_order(request: HttpRequest, order_id: UUID) -> HttpResponseBase:
    """Follow an order by server-sent events: each says that something has changed, and its status."""
    order = get_object_or_404(orders_of(request).only("pk"), public_id=order_id)
    return follow(request, ORDER, order.pk, str(order_id))
