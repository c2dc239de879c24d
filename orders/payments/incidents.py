"""Writing down that something does not add up, once, for as long as it does not."""

import logging
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from orders.models import Order
from orders.payments.models import Incident, IncidentKind, Provider
from proj.console import incidents as console

logger = logging.getLogger(__name__)

LENGTH = 500  # of a sentence that is kept


def open_incident(  # noqa: PLR0913  a row's columns
    kind: IncidentKind,
    fingerprint: str,
    *,
    summary: str,
    detail: dict[str, Any] | None = None,
    order: Order | None = None,
    repair: str = "",
) -> Incident:
    """Open an incident; or, if this difference has an open one, bring that up to date.

    Args:
        kind: what sort of difference.
        fingerprint: which one, such as "order:42" or "pi_...": the same kind and fingerprint are open once.
        summary: what differs, as a sentence with figures.
        detail: both sides, as they were read.
        order: the order that it concerns, if there is one.
        repair: what would mend it, as a sentence; empty if only people can.

    """
    incident, is_new = Incident.objects.update_or_create(
        kind=kind,
        fingerprint=fingerprint[:255],
        closed_at=None,
        defaults={
            "summary": summary[:LENGTH],
            "detail": detail or {},
            "order": order,
            "repair": repair[:LENGTH],
            "seen_at": timezone.now(),
        },
    )
    if is_new:
        logger.warning("incident %s opened: %s, %s: %s", incident.pk, kind, fingerprint, summary)
    return incident


def newest_open(limit: int) -> list[console.Incident]:
    """Return the newest open incidents, as the operators' dashboard shows them."""
    found = Incident.objects.filter(closed_at=None).order_by("-pk")[:limit]
    return [
        console.Incident(
            f"{incident.get_kind_display()}: {incident.summary}",
            reverse("admin:payments_incident_change", args=[incident.pk]),
            incident.opened_at,
        )
        for incident in found
    ]


def providers_in_trouble(limit: int) -> list[console.Incident]:
    """Return the providers that are down or paused: charges and refunds wait for them."""
    found = Provider.objects.filter(Q(paused=True) | Q(down_since__isnull=False))[:limit]
    return [
        console.Incident(
            f"{provider} {'is paused' if provider.paused else 'does not answer'}: charges and refunds wait.",
            reverse("admin:payments_provider_change", args=[provider.pk]),
            None if provider.paused else provider.down_since,
        )
        for provider in found
    ]


def close_incident(incident: Incident, *, actor: str, outcome: str) -> bool:
    """Close an incident, saying how it ended; False, and no change, if somebody has closed it before."""
    incident.closed_at, incident.closed_by, incident.outcome = timezone.now(), actor[:150], outcome[:LENGTH]
    mine = Incident.objects.filter(pk=incident.pk, closed_at=None)
    return (
        mine.update(closed_at=incident.closed_at, closed_by=incident.closed_by, outcome=incident.outcome) == 1
    )


def is_refusing() -> bool:
    """Whether the provider refuses our requests and staff have not said yet that it is mended: asking again would only
    end as dead jobs.
    """
    return Incident.objects.filter(kind=IncidentKind.MISCONFIGURED, closed_at=None).exists()
