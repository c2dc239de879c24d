from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import Query, Router

from proj.api.describing import refused
from proj.api.idempotency import Made, idempotent
from proj.api.paging import paginate
from proj.api.problems import Problem
from proj.hooks import replaying
from proj.hooks.api.endpoints import NOT_THERE, own_endpoint
from proj.hooks.api.schemas import (
    DeliveryFilter,
    DeliveryOut,
    DeliveryPage,
    DeliverySummary,
    ReplayIn,
    ReplayOut,
)
from proj.hooks.models import Delivery
from proj.hooks.replaying import SwitchedOff

router = Router()

NO_DELIVERY = "not_found: there is no such endpoint or delivery, or it is somebody else's."
OFF = "endpoint_off: nothing is sent to an endpoint that is off; or (idempotency_in_flight) see Idempotency-Key."


@router.get("/{uuid:endpoint_id}/deliveries", response=DeliveryPage, openapi_extra=refused({404: NOT_THERE}))
def list_webhook_deliveries(
    request: HttpRequest, endpoint_id: UUID, filters: Query[DeliveryFilter]
) -> dict[str, Any]:
    """List what was sent to an endpoint, newest first. Settled deliveries are kept for 30 days."""
    deliveries = own_endpoint(request, endpoint_id).deliveries.defer("body")
    if filters.state is not None:
        deliveries = deliveries.filter(state=filters.state)
    return paginate(deliveries, filters.cursor, filters.limit, lambda delivery: delivery)


@router.get(
    "/{uuid:endpoint_id}/deliveries/{delivery_id}",
    response=DeliveryOut,
    openapi_extra=refused({404: NO_DELIVERY}),
)
def read_webhook_delivery(request: HttpRequest, endpoint_id: UUID, delivery_id: str) -> Delivery:
    """Return one delivery with what is sent, and what came of each attempt."""
    return _own_delivery(request, endpoint_id, delivery_id)


@router.post(
    "/{uuid:endpoint_id}/deliveries/{delivery_id}/replay",
    response={202: DeliverySummary},
    openapi_extra=refused({404: NO_DELIVERY, 409: OFF}),
)
@idempotent(DeliverySummary)
def replay_webhook_delivery(request: HttpRequest, endpoint_id: UUID, delivery_id: str) -> Made:
    """Send one delivery again, now, whatever came of it. Its webhook-id stays the same."""
    delivery = _own_delivery(request, endpoint_id, delivery_id)
    with _refusals():
        replaying.replay_delivery(delivery)
    delivery.refresh_from_db()
    return _made(endpoint_id, delivery)


@router.post(
    "/{uuid:endpoint_id}/replay",
    response={202: ReplayOut},
    openapi_extra=refused({404: NOT_THERE, 409: OFF}),
)
@idempotent(ReplayOut)
def replay_failed_webhooks(request: HttpRequest, endpoint_id: UUID, body: ReplayIn) -> Made:
    """Send again what was given up, all or of the events since a moment; Location lists what was sent to the endpoint."""
    endpoint = own_endpoint(request, endpoint_id)
    with _refusals():
        replayed = replaying.replay_failed(endpoint, since=body.since)
    return Made({"replayed": replayed}, reverse("api:list_webhook_deliveries", args=[endpoint_id]))


@router.post(
    "/{uuid:endpoint_id}/ping",
    response={202: DeliverySummary},
    openapi_extra=refused({404: NOT_THERE, 409: OFF}),
)
@idempotent(DeliverySummary)
def ping_webhook(request: HttpRequest, endpoint_id: UUID) -> Made:
    """Send an endpoint a webhook.ping, to try it out; Location says where to see what came of it."""
    endpoint = own_endpoint(request, endpoint_id)
    with _refusals():
        return _made(endpoint_id, replaying.ping(endpoint))


def _made(endpoint_id: UUID, delivery: Delivery) -> Made:
    return Made(delivery, reverse("api:read_webhook_delivery", args=[endpoint_id, delivery.event_id]))


def _own_delivery(request: HttpRequest, endpoint_id: UUID, delivery_id: str) -> Delivery:
    endpoint = own_endpoint(request, endpoint_id)
    # A NUL is in no id of ours, and PostgreSQL would not take it.
    found: Delivery = get_object_or_404(endpoint.deliveries, event_id=delivery_id.replace("\x00", ""))
    return found


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except SwitchedOff as error:
        raise Problem(409, "endpoint_off", "The endpoint is off: switch it on first.") from error
