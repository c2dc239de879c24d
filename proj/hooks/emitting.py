"""Owing an event to whoever has subscribed to it, in the transaction of what it tells.

One statement finds the endpoints and writes a delivery for each; most owners have none, and then that is all. Where there are
some, a second statement owes the jobs. Both are committed with the event, or neither is.
"""

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from celery import group, signature
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.utils import timezone

from proj.hooks import kinds

#: Ids of events are made from the keys that the apps give them: emitted again, an event is the same event.
NAMESPACE = uuid.UUID("0f5b1b52-8c1a-4a0e-9a53-6f2f0c1d7c11")

# KEY SHARE, which the foreign key would take at the end anyway: an endpoint that is being purged at this moment is not found,
# where the commit of whoever emits would fail for it.
_EMIT = """
    WITH endpoints AS (
        SELECT id FROM hooks_endpoint
         WHERE owner_id = %(owner)s AND disabled_at IS NULL AND %(kind)s = ANY (kinds)
           FOR KEY SHARE
    )
    INSERT INTO hooks_delivery (endpoint_id, event_id, kind, body, state, tries, due_at, created_at, error)
    SELECT id, %(event)s, %(kind)s, %(body)s, 'pending', 0, %(now)s, %(now)s, '' FROM endpoints
    ON CONFLICT (endpoint_id, event_id) DO NOTHING
    RETURNING id
"""


class UnaccompaniedError(RuntimeError):
    """There is no transaction: a process that dies now would have told of the event, or never tell, by chance."""


def emit(owner_id: int, kind: str, data: Mapping[str, Any], *, key: str, at: datetime) -> int:
    """Owe an event to every endpoint of a person that wants its kind; returns to how many.

    Args:
        owner_id: whose event it is: the primary key of a user.
        kind: a registered kind, such as ``"order.paid"``.
        data: what a receiver learns; goes through JSON.
        key: which event it is, unique in the system, such as ``"order-event:42"``. Nothing is owed for it twice.
        at: when it happened.

    Raises:
        KeyError: nobody has registered the kind.
        UnaccompaniedError: no transaction is open.

    """
    if not connection.in_atomic_block:
        raise UnaccompaniedError(f"{kind} would be emitted apart from what it tells")
    words: dict[str, int | str | datetime] = {
        "owner": owner_id,
        "kind": kinds.registered()[kind].name,
        "event": event_id(key),
        "body": body_of(kind, data, at),
        "now": timezone.now(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_EMIT, words)
        deliveries = [pk for (pk,) in cursor.fetchall()]
    enqueue(deliveries)
    return len(deliveries)


def event_id(key: str) -> str:
    """Return the id that receivers see of the event with a key."""
    return f"msg_{uuid.uuid5(NAMESPACE, key).hex}"


def body_of(kind: str, data: Mapping[str, Any], at: datetime) -> str:
    """Return what is sent of an event."""
    content = {"type": kind, "timestamp": at, "data": data}
    return json.dumps(content, cls=DjangoJSONEncoder, separators=(",", ":"))


def enqueue(deliveries: list[int]) -> None:
    """Owe the jobs that send deliveries, all in one statement. By name: tasks stand above this module."""
    if deliveries:
        group(signature("hooks.deliver", args=(pk,), immutable=True) for pk in deliveries).apply_async()
