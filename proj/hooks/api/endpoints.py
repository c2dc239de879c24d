from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import Router

from proj.api.describing import refused
from proj.api.problems import Problem
from proj.hooks import endpoints, kinds
from proj.hooks.api.schemas import (
    EndpointChange,
    EndpointIn,
    EndpointList,
    EndpointMade,
    EndpointOut,
    EventTypeList,
    RotateIn,
    SecretOut,
    made,
)
from proj.hooks.endpoints import OVERLAP, EndpointRefused
from proj.hooks.models import Endpoint
from proj.hooks.switching import switch_off_by_hand, switch_on

router = Router()

NOT_THERE = "not_found: there is no such endpoint, or it is somebody else's."
REFUSED = "endpoint_refused: the address or a kind of event is not possible, or there are too many endpoints."


def own_endpoint(request: HttpRequest, endpoint_id: UUID) -> Endpoint:
    """Return an endpoint of the caller; all others are a 404."""
    return get_object_or_404(Endpoint.objects.of(caller(request).pk), public_id=endpoint_id)


def caller(request: HttpRequest) -> User:
    return cast(User, request.user)  # the API lets nobody in who is not signed in


@router.get("/event-types", response=EventTypeList)
def list_webhook_event_types(request: HttpRequest) -> dict[str, Any]:  # noqa: ARG001  the same for everybody
    """List the kinds of events that an endpoint may ask for, each with an example."""
    return {
        "items": [
            {"name": kind.name, "description": kind.words, "example": dict(kind.example)}
            for kind in kinds.subscribable().values()
        ]
    }


@router.get("", response=EndpointList)
def list_webhooks(request: HttpRequest) -> dict[str, Any]:
    """List the caller's endpoints: there are ten at most."""
    return {"items": list(Endpoint.objects.of(caller(request).pk))}


@router.post("", response={201: EndpointMade}, openapi_extra=refused({422: REFUSED}))
def create_webhook(request: HttpRequest, body: EndpointIn, response: HttpResponse) -> dict[str, Any]:
    """Create an endpoint. Its secret is in this answer, and nowhere else.

    There is no Idempotency-Key here: the answer would have to be kept, and the secret with it. Whoever does not get the answer
    finds the endpoint in the list, and gives it another secret.
    """
    with _refusals():
        endpoint, secret = endpoints.create_endpoint(
            caller(request), body.url, body.events, description=body.description
        )
    response["Location"] = reverse("api:read_webhook", args=[endpoint.public_id])
    response["Cache-Control"] = "no-store"
    return made(endpoint, secret)


@router.get("/{uuid:endpoint_id}", response=EndpointOut, openapi_extra=refused({404: NOT_THERE}))
def read_webhook(request: HttpRequest, endpoint_id: UUID) -> Endpoint:
    """Return one endpoint, without its secret."""
    return own_endpoint(request, endpoint_id)


@router.patch(
    "/{uuid:endpoint_id}", response=EndpointOut, openapi_extra=refused({404: NOT_THERE, 422: REFUSED})
)
def change_webhook(request: HttpRequest, endpoint_id: UUID, body: EndpointChange) -> Endpoint:
    """Change what is given of an endpoint, and switch it on or off."""
    endpoint = own_endpoint(request, endpoint_id)
    with _refusals(), transaction.atomic():
        endpoints.change_endpoint(endpoint, url=body.url, wanted=body.events, description=body.description)
        if body.enabled is not None:
            _switch(endpoint, on=body.enabled)
    endpoint.refresh_from_db()
    return endpoint


@router.delete("/{uuid:endpoint_id}", response={204: None}, openapi_extra=refused({404: NOT_THERE}))
def delete_webhook(request: HttpRequest, endpoint_id: UUID) -> None:
    """Delete an endpoint for good, with its secret and the list of what was sent."""
    endpoints.delete_endpoint(own_endpoint(request, endpoint_id))


@router.post("/{uuid:endpoint_id}/secret", response=SecretOut, openapi_extra=refused({404: NOT_THERE}))
def rotate_webhook_secret(
    request: HttpRequest, endpoint_id: UUID, body: RotateIn, response: HttpResponse
) -> dict[str, Any]:
    """Give an endpoint another secret. For 24 hours each message is signed with the old one, too, unless that is to end.

    There is no Idempotency-Key here either: the answer shows the secret. Whoever does not get the answer asks again: the last
    three secrets before the newest sign too, so that a receiver goes on with the one that it has.
    """
    endpoint = own_endpoint(request, endpoint_id)
    secret = endpoints.rotate_secret(endpoint, overlap=timedelta(0) if body.end_old_now else OVERLAP)
    endpoint.refresh_from_db()
    response["Cache-Control"] = "no-store"
    return {"secret": secret, "old_secret_until": endpoint.old_secret_until}


def _switch(endpoint: Endpoint, *, on: bool) -> None:
    if on:
        switch_on(endpoint.pk)
    else:
        switch_off_by_hand(endpoint.pk, "You have switched it off.")


@contextmanager
def _refusals() -> Iterator[None]:
    """Make a refusal of the services a problem that says where it is."""
    try:
        yield
    except EndpointRefused as refusal:
        errors = [{"pointer": f"/{refusal.field}", "detail": refusal.detail}] if refusal.field else []
        raise Problem(422, "endpoint_refused", refusal.detail, errors=errors) from refusal
