from typing import Any, cast
from uuid import UUID

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import Query, Router

from orders import services
from orders.api.schemas import OrderFilter, OrderIn, OrderOut, OrderPage
from orders.balance import ROWS
from orders.errors import InvalidPaymentMethod, InvalidQuantity, OrderRefused, TooLate, UnknownProduct
from orders.models import Order
from orders.models.order import OrderQuerySet
from orders.states import LIVE
from proj.api.describing import refused
from proj.api.idempotency import Made, idempotent
from proj.api.paging import paginate
from proj.api.polling import look_again, revalidated
from proj.api.problems import Problem

router = Router(tags=["orders"])

NOT_THERE = "not_found: there is no such order, or it is somebody else's."


@router.post(
    "",
    response={202: OrderOut},
    openapi_extra=refused(
        {422: "unknown_product: or another reason why the order cannot be accepted, or its key not."}
    ),
)
@idempotent(OrderOut)
def place_order(request: HttpRequest, body: OrderIn) -> Made:
    """Accept an order; Location says where to follow it. Checks, payment and delivery happen in the background."""
    try:
        placed = services.place_order(
            caller(request),
            [services.LineRequest(line.sku, line.quantity) for line in body.lines],
            express=body.express,
            payment_method=body.payment_method,
        )
    except OrderRefused as error:
        raise Problem(422, error.code, error.detail, errors=errors(error, body)) from error
    return Made(placed.order, reverse("api:read_order", args=[placed.order.public_id]))


@router.get("", response=OrderPage)
def list_orders(request: HttpRequest, filters: Query[OrderFilter]) -> dict[str, Any]:
    """List the caller's orders, newest first."""
    orders = orders_of(request)
    if filters.status is not None:
        orders = orders.filter(status=filters.status)
    return paginate(orders.prefetch_related(ROWS), filters.cursor, filters.limit, lambda order: order)


@router.get("/{order_id}", response=OrderOut, openapi_extra=refused({404: NOT_THERE}))
@revalidated
def read_order(request: HttpRequest, order_id: UUID, response: HttpResponse) -> Order:
    """Return one order with its lines, its steps, what has happened to it, and what has gone back of its money."""
    orders = orders_of(request).with_progress().prefetch_related(ROWS)
    order = get_object_or_404(orders, public_id=order_id)
    if order.status in LIVE:
        look_again(response, order.placed_at)
    return order


@router.post(
    "/{order_id}/cancel",
    response={202: OrderOut},
    openapi_extra=refused({404: NOT_THERE, 409: "too_late: its goods have left, or it has ended otherwise."}),
)
def cancel_order(request: HttpRequest, order_id: UUID) -> Order:
    """Call an order off; its stock and its money go back. Too late once its goods have left.

    What was paid is refunded in full: refunds says how far that is. An order whose payment had begun is cancelled as well;
    whether the card was charged is looked up, and if it was, a refund appears. Cancelling again changes nothing.
    """
    order = get_object_or_404(orders_of(request), public_id=order_id)
    try:
        return services.cancel_order(order.pk, caller(request).get_username(), "Cancelled by the customer.")
    except TooLate as error:
        raise Problem(409, error.code, f"The order cannot be cancelled. {error.detail}") from error


def caller(request: HttpRequest) -> User:
    return cast(User, request.user)  # the API lets nobody in who is not signed in


def orders_of(request: HttpRequest) -> OrderQuerySet:
    """The orders that the caller may see. All others do not exist for them, so that they get a 404."""
    return Order.objects.of(caller(request).pk)


def errors(refusal: OrderRefused, body: OrderIn) -> list[dict[str, str]]:
    """Where in the body the refusal has its cause, as JSON pointers."""
    match refusal:
        case UnknownProduct() | InvalidQuantity():
            field = "sku" if isinstance(refusal, UnknownProduct) else "quantity"
            positions = (n for n, line in enumerate(body.lines) if line.sku == refusal.sku)
            pointers = [f"/lines/{position}/{field}" for position in positions]
        case InvalidPaymentMethod():
            pointers = ["/payment_method"]
        case _:
            pointers = []
    return [{"pointer": pointer, "detail": refusal.detail} for pointer in pointers]
