"""What the provider tells us by itself: verified, stored once, and looked into by a job of its own.

An event is a hint. Who sends the same one again, out of turn or late changes nothing: what is settled is what the provider
answers when it is asked (`processing.py`).
"""

import json
from datetime import UTC, datetime
from typing import Any

import stripe
from celery import signature
from django.conf import settings
from django.db import DataError, transaction
from django.utils import timezone

from orders.payments.gateway import Event
from orders.payments.kinds import is_known, object_of
from orders.payments.models import EventState, WebhookEvent
from proj.jobs.failpoints import failpoint

PROVIDER = "stripe"
#: Seconds that a signature is good for, as Stripe recommends: a request that somebody has recorded is worth nothing soon.
TOLERANCE = 300


class BadSignature(Exception):  # noqa: N818  what happened, as a sentence would say it
    """The message is not from the provider, or too old; nothing is stored."""


class Malformed(Exception):  # noqa: N818
    """The provider has sent something that is not an event; nothing is stored."""


def receive(body: bytes, header: str) -> bool:
    """Store an event of the provider, and enqueue what is to become of it, together.

    Args:
        body: the request as it came: the signature is over its bytes.
        header: the signature as it came.

    Returns:
        Whether it is new; one that has come before is left as it is.

    Raises:
        BadSignature, Malformed
    """
    verify(body, header)
    event = parse(body)
    try:
        return _store(event)
    except DataError as error:  # a text that PostgreSQL cannot hold, such as one with a zero byte
        raise Malformed(str(error)) from error


def verify(body: bytes, header: str) -> None:
    """Check the signature against every secret that is in force: two of them while one is being replaced.

    Raises:
        BadSignature: none of them has made it, or not lately; or there are no secrets.
    """
    for secret in settings.STRIPE_WEBHOOK_SECRETS:
        try:
            # ValueError: not UTF-8; TypeError: the comparison in constant time takes ASCII only.
            stripe.WebhookSignature.verify_header(body, header, secret, TOLERANCE)
        except (stripe.SignatureVerificationError, ValueError, TypeError):
            continue
        else:
            return
    raise BadSignature("no secret of ours has made its signature lately")


def parse(body: bytes) -> Event:
    """Read what we need of an event.

    Raises:
        Malformed: it is no JSON, or not an event.
    """
    try:
        payload: dict[str, Any] = json.loads(body)
        event = Event(
            id=_word(payload["id"], 255),
            kind=_word(payload["type"], 100),
            object_ref=object_of(payload)[:255],
            created_at=datetime.fromtimestamp(payload["created"], UTC),
            payload=payload,
        )
    # Whatever is not as it should be: a key that is not there, a list for an object, a year 60,000, nested too deep.
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, OSError, RecursionError) as error:
        raise Malformed(f"{type(error).__name__}: {error}") from error
    return event


def process_again(event: WebhookEvent) -> None:
    """Look into an event once more, whatever came of it before."""
    with transaction.atomic():
        WebhookEvent.objects.filter(pk=event.pk).update(state=EventState.RECEIVED, detail="", settled_at=None)
        _enqueue(event)


def _store(event: Event) -> bool:
    known = is_known(event.kind)
    ignored = {
        "state": EventState.IGNORED,
        "detail": "Of a kind that we do not use.",
        "settled_at": timezone.now(),
    }
    with transaction.atomic():
        stored, is_new = WebhookEvent.objects.get_or_create(
            provider=PROVIDER,
            event_id=event.id,
            defaults={
                "kind": event.kind,
                "object_ref": event.object_ref,
                "payload": event.payload,
                "created_at": event.created_at,
                **({} if known else ignored),
            },
        )
        if is_new and known:
            _enqueue(stored)
        failpoint("event:stored")
    return is_new


def _enqueue(event: WebhookEvent) -> None:
    """By name: tasks stand above this module, which calls one inside a transaction."""
    signature("payments.process_event", args=(event.pk,), immutable=True).apply_async()


def _word(value: Any, longest: int) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise ValueError(f"{value!r:.100} is not a text of 1 to {longest} characters")
    return value
