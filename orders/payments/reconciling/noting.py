"""Keeping incidents as the comparison finds them: opened once, brought up to date, closed when there is nothing left."""

import logging
from collections.abc import Collection

from django.db import transaction

from orders.models import Order
from orders.payments.gateway import Misconfigured
from orders.payments.incidents import close_incident, open_incident
from orders.payments.models import Incident
from orders.payments.reconciling.difference import Difference, identity_of
from orders.payments.reconciling.repairing import GONE, look_again
from proj.jobs import audit
from proj.jobs.audit import Actor

logger = logging.getLogger(__name__)

#: Kept with an incident that people have closed: the difference that they know of, and have accepted.
ACCEPTED = "accepted"


def is_accepted(difference: Difference) -> bool:
    """Whether people have looked at this very difference and closed it with a reason; if it changes, it is a new one."""
    last = (
        Incident.objects.filter(kind=difference.kind, fingerprint=difference.fingerprint)
        .order_by("-pk")
        .first()
    )
    return last is not None and not last.is_open and last.detail.get(ACCEPTED) == difference.summary


def note(difference: Difference) -> Incident:
    """Open an incident for the difference, or bring the open one up to date."""
    return open_incident(
        difference.kind,
        difference.fingerprint,
        summary=difference.summary,
        detail=difference.detail,
        order=Order.objects.filter(pk=difference.order_id).first() if difference.order_id else None,
        repair=difference.repair,
    )


def accept(incident: Incident, *, by: Actor, reason: str) -> bool:
    """Close an incident because people have seen to it, or can live with it. The same difference opens no other one.

    Returns False, and changes nothing, if somebody has closed it before.
    """
    with transaction.atomic():
        if not close_incident(incident, actor=by.name, outcome=reason):
            return False
        detail = {**incident.detail, ACCEPTED: incident.summary}
        Incident.objects.filter(pk=incident.pk).update(detail=detail)
        about = {"kind": incident.kind, "about": incident.fingerprint, "summary": incident.summary}
        audit.record(by, "incident.close", f"incident:{incident.pk}", reason=reason, before=about)
        return True


def close_gone(found: Collection[tuple[str, str]], *, actor: str) -> int:
    """Look again at every open incident that is not among `found`, and close those whose difference is gone."""
    closed = 0
    for incident in Incident.objects.filter(closed_at=None).order_by("pk"):
        if identity_of(incident) in found:
            continue
        try:
            difference = look_again(incident)
        except Misconfigured as error:  # of this one; the others are not to wait for it
            logger.warning("incident %s could not be looked into: %s", incident.pk, error.detail)
            continue
        if difference is None:
            closed += close_incident(incident, actor=actor, outcome=GONE)
        else:
            note(difference)
    return closed
