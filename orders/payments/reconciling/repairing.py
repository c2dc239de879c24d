"""What mends which kind of difference, and the one way to have it mended: look again, mend, look once more.

A repair brings our ledgers to what the provider says, or asks the provider for what our ledgers owe already. Where that
does not decide it (money that is missing at the provider, or is there for nobody we know, or is another sum) there is
none, and an incident is for people to close.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from django.db import transaction

from orders.payments.incidents import close_incident
from orders.payments.models import Incident, IncidentKind
from orders.payments.reconciling import capture_repairs, giveback_repairs, own_repairs, silence_repairs
from orders.payments.reconciling.difference import Difference, NotRepaired
from proj.jobs import audit
from proj.jobs.audit import Actor

GONE: Final = "Gone: both sides agree by now."


class Remedy(NamedTuple):
    look_again: Callable[[Incident], Difference | None]  # everything as it is now
    mend: Callable[[Difference, str], str] | None = None  # by whom; says what was done, or raises NotRepaired


def _look_at_amount(incident: Incident) -> Difference | None:
    """Of a payment or of a refund: which, the provider's id says."""
    if incident.fingerprint.startswith("pi_"):
        return capture_repairs.look_again(incident)
    return giveback_repairs.look_again(incident)


REMEDIES: Final[Mapping[str, Remedy]] = {
    IncidentKind.CAPTURE_UNSETTLED: Remedy(capture_repairs.look_again, capture_repairs.settle_capture),
    IncidentKind.CAPTURE_MISSING: Remedy(capture_repairs.look_again),
    IncidentKind.CAPTURED_TWICE: Remedy(capture_repairs.look_again, capture_repairs.give_second_back),
    IncidentKind.AMOUNT_DIFFERS: Remedy(_look_at_amount),
    IncidentKind.STRAY_CAPTURE: Remedy(capture_repairs.look_again),
    IncidentKind.REFUND_UNSETTLED: Remedy(giveback_repairs.look_again, giveback_repairs.settle_giveback),
    IncidentKind.REFUND_MISSING: Remedy(giveback_repairs.look_again, giveback_repairs.settle_failure),
    IncidentKind.REFUND_FAILED: Remedy(silence_repairs.look_at_refusal, silence_repairs.refund_again),
    IncidentKind.ORDER_DIFFERS: Remedy(own_repairs.look_at_order, own_repairs.move_order),
    IncidentKind.NOT_REFUNDED: Remedy(own_repairs.look_at_refund, own_repairs.refund_order),
    IncidentKind.JOURNAL_DIFFERS: Remedy(own_repairs.look_at_books, own_repairs.book),
    IncidentKind.STOCK_DIFFERS: Remedy(own_repairs.look_at_stock, own_repairs.count_stock),
    IncidentKind.UNKNOWN_TOO_LONG: Remedy(silence_repairs.look_at_silence, silence_repairs.look_up),
    IncidentKind.EVENT_UNPLACED: Remedy(silence_repairs.look_at_event, silence_repairs.process_again),
    IncidentKind.MISCONFIGURED: Remedy(silence_repairs.look_at_configuration),
}


def can_repair(incident: Incident) -> bool:
    """Whether incidents of the kind can be repaired at all; whether this one can, `look_again` says."""
    return REMEDIES[incident.kind].mend is not None


def look_again(incident: Incident) -> Difference | None:
    """The difference as it is now, if it is still of the incident's kind; None if it is gone.

    Raises:
        Unknown, Unavailable, Misconfigured, Postponed: the provider had to be asked, and could not be.
    """
    found = REMEDIES[incident.kind].look_again(incident)
    return found if found is not None and found.kind == incident.kind else None


def repair(incident: Incident, *, by: Actor) -> str:
    """Mend what an incident is about as it suggests, and close it; returns how it ended.

    May be asked for twice or by two people at once: what is done takes the locks, reads again, and is done once.

    Raises:
        NotRepaired: nothing is mended, or not all of it; the incident stays open.
        Unknown, Unavailable, Misconfigured, Postponed: the provider could not be asked.
    """
    difference = look_again(incident)
    if difference is None:
        return _close(incident, GONE, by)
    mend = REMEDIES[incident.kind].mend
    if mend is None or not difference.repair:
        raise NotRepaired("Only people can mend this: see to it, then close the incident with the reason.")
    outcome = mend(difference, by.name)
    if look_again(incident) is not None:
        raise NotRepaired(f"{outcome} But the difference is still there.")
    return _close(incident, outcome, by)


def _close(incident: Incident, outcome: str, by: Actor) -> str:
    """Close an incident, with who had it repaired in the audit log; nothing if somebody was faster."""
    with transaction.atomic():
        if close_incident(incident, actor=by.name, outcome=outcome):
            before = {"kind": incident.kind, "about": incident.fingerprint, "summary": incident.summary}
            audit.record(
                by, "incident.repair", f"incident:{incident.pk}", before=before, after={"outcome": outcome}
            )
    return outcome
