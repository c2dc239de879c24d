"""What the comparison speaks of: the span that it looks at, and one thing that differs."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from orders.payments.models import Incident, IncidentKind

#: What was touched less than this ago may be on its way. Longer than any request to the provider takes (30 s), and than
#: a webhook and its job usually take (seconds).
GRACE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Window:
    """The span of time whose payments, refunds and orders are compared."""

    since: datetime
    until: datetime

    @classmethod
    def reaching_back(cls, span: timedelta) -> "Window":
        """From `span` ago until what is too young to be compared."""
        now = timezone.now()
        return cls(now - span, now - GRACE)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two ledgers do not agree on. `kind` and `fingerprint` say which, however often it is found."""

    kind: IncidentKind
    fingerprint: str
    summary: str  # with figures, for people
    order_id: int | None = None
    repair: str = ""  # what would mend it, as a sentence; empty if only people can
    detail: dict[str, Any] = field(default_factory=dict)  # both sides, as they were read

    @property
    def identity(self) -> tuple[str, str]:
        return self.kind, self.fingerprint


def identity_of(incident: Incident) -> tuple[str, str]:
    """What `Difference.identity` is of the difference that opened the incident."""
    return incident.kind, incident.fingerprint


def is_young(*moments: datetime | None) -> bool:
    """Whether one of the moments is so recent that what happened then may not be over."""
    limit = timezone.now() - GRACE
    return any(moment is not None and moment > limit for moment in moments)


class NotRepaired(Exception):  # noqa: N818  what happened, as a sentence would say it
    """The difference is still there, or is no longer what it was. The text says why, for people."""
