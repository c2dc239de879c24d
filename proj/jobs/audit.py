"""The audit log: a row for everything that a person does to what runs, written with the deed itself.

    with transaction.atomic():
        order = cancel_order(...)
        audit.record(audit.by(request), "order.cancel", f"order:{order.pk}", reason=reason,
                     before={"status": "reserved"}, after={"status": "cancelled"})

Both are committed, or neither is. Rows are never changed: triggers of the database refuse an UPDATE or a DELETE, whoever
asks. (Who owns the database may still drop the trigger, or truncate the table.)
"""

import getpass
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.http import HttpRequest

from proj.jobs.ledger.statements import as_json, legible
from proj.jobs.models import AuditEntry
from proj.jobs.models.audit import ADMIN, API, COMMAND_LINE

__all__ = [
    "ADMIN",
    "API",
    "COMMAND_LINE",
    "Actor",
    "Change",
    "UnaccompaniedError",
    "by",
    "by_command",
    "record",
    "record_each",
    "why",
]


#: Characters of a reason; the fields that ask for one say so, too.
LONGEST = 200


class Actor(NamedTuple):
    """Who does something, and where."""

    name: str
    id: int | None  # of the account, if there is one
    origin: str


class Change(NamedTuple):
    """What a deed did to one thing."""

    target: str  # such as "job:ID"
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


class UnaccompaniedError(RuntimeError):
    """There is no transaction, so that the entry could tell of what was never done, or be missing for what was."""


def by(request: HttpRequest, origin: str = ADMIN) -> Actor:
    """Return who sent a request."""
    return Actor(request.user.get_username(), request.user.pk, origin)


def why(request: HttpRequest, field: str = "reason") -> str:
    """Return the reason that a request gives, in a field of its form; empty if it gives none."""
    return request.POST.get(field, "").strip()[:LONGEST]


def by_command() -> Actor:
    """Return who started this process: the user of the machine, who need not have an account."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container with a number for a user
        name = "unknown"
    return Actor(name, None, COMMAND_LINE)


def record(  # noqa: PLR0913  who, what, on what, why, before, after
    actor: Actor,
    action: str,
    target: str,
    *,
    reason: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write down one deed, in the transaction that does it.

    Args:
        actor: who.
        action: what, as ``kind.verb``.
        target: on what, as ``kind:identity``.
        reason: why, in the person's own words.
        before: what the deed changed, as it was.
        after: the same, as it is now.

    Raises:
        UnaccompaniedError: no transaction is open.

    """
    record_each(actor, action, [Change(target, before, after)], reason=reason)


def record_each(actor: Actor, action: str, changes: Iterable[Change], *, reason: str = "") -> None:
    """Write down one deed on many things, an entry for each; see :func:`record`."""
    if not connection.in_atomic_block:
        raise UnaccompaniedError(f"{action} would be written down apart from being done")
    AuditEntry.objects.bulk_create(
        AuditEntry(
            actor=legible(actor.name),
            actor_id=actor.id,
            origin=actor.origin,
            action=action,
            target=legible(change.target),
            reason=legible(reason),
            before=_storable(change.before),
            after=_storable(change.after),
        )
        for change in changes
    )


def _storable(value: Mapping[str, Any] | None) -> Any:
    """Return what a jsonb column takes; what has no form in JSON as its words."""
    if value is None:
        return None
    return json.loads(as_json(json.loads(json.dumps(dict(value), cls=_InWords))))


class _InWords(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        try:
            return super().default(o)
        except TypeError:
            return str(o)
