"""Events as the provider would send them: signed, over HTTP, to the address that it knows."""

import json
import time
from typing import Any
from uuid import uuid4

import stripe
from django.http import HttpResponse
from django.test import Client

from orders.payments.models import WebhookEvent
from proj.jobs.models import Job

SECRET = "whsec_current"
ADDRESS = "/webhooks/payments"


def event(kind: str, reference: str, **fields: Any) -> dict[str, Any]:
    """The document of an event about the object with this id; `fields` are the object's."""
    return {
        "id": f"evt_{uuid4().hex}",
        "object": "event",
        "type": kind,
        "created": int(time.time()),
        "data": {"object": {"id": reference, **fields}},
    }


def sign(body: str, *, secret: str = SECRET, age: int = 0) -> str:
    """The header that Stripe's own client makes, as it would have been some seconds ago."""
    header: str = stripe.WebhookSignature.generate_signature_header(body, secret, int(time.time()) - age)
    return header


def send(client: Client, body: str | bytes, header: str | None) -> HttpResponse:
    headers = {} if header is None else {"Stripe-Signature": header}
    return client.post(ADDRESS, body, content_type="application/json", headers=headers)


def deliver(client: Client, document: dict[str, Any]) -> HttpResponse:
    """Send an event as the provider does."""
    body = json.dumps(document)
    return send(client, body, sign(body))


def assert_nothing_is_stored() -> None:
    assert WebhookEvent.objects.count() == 0
    assert Job.objects.count() == 0
