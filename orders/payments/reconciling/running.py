"""One reconciliation from beginning to end."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from orders.payments.gateway import Misconfigured
from orders.payments.models import Incident, IncidentKind
from orders.payments.reconciling.comparing import Progress, compare
from orders.payments.reconciling.difference import Difference, NotRepaired, Window
from orders.payments.reconciling.noting import close_gone, is_accepted, note
from orders.payments.reconciling.repairing import can_repair, repair
from orders.payments.reconciling.totals import Totals
from proj.jobs.audit import Actor

ACTOR = "reconciliation"


@dataclass(slots=True)
class Report:
    """What was compared, and what came of it."""

    window: Window
    totals: Totals = field(default_factory=Totals)
    differences: list[Difference] = field(default_factory=list)
    accepted: int = 0  # known, and closed by people
    gone: int = 0  # incidents closed because both sides agree by now
    open: int = 0  # incidents that are open at the end; in a dry run, differences that would open one
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return {
            "since": self.window.since.isoformat(),
            "until": self.window.until.isoformat(),
            "checked": self.totals.as_json(),
            "differences": [
                {
                    "kind": str(difference.kind),
                    "fingerprint": difference.fingerprint,
                    "order": difference.order_id,
                    "summary": difference.summary,
                    "repair": difference.repair,
                }
                for difference in self.differences
            ],
            "accepted": self.accepted,
            "gone": self.gone,
            "open": self.open,
            "seconds": round(self.seconds, 2),
        }


def reconcile(
    window: Window, *, dry_run: bool = False, progress: Progress = lambda _what, _count: None
) -> Report:
    """Compare everything in a window, and write down what differs. Nothing is repaired.

    Args:
        window: the span of time.
        dry_run: write nothing.
        progress: told how far it has come.

    Raises:
        Unknown, Unavailable, Postponed: the provider is not to be had. Misconfigured: it refuses us.
            What was found until then is written down.
    """
    began = time.monotonic()
    report = Report(window)
    for difference in compare(window, report.totals, progress):
        if is_accepted(difference):
            report.accepted += 1
            continue
        report.differences.append(difference)
        if not dry_run:
            note(difference)
    if dry_run:
        report.open = len(report.differences)
    else:
        found = {difference.identity for difference in report.differences}
        report.gone = close_gone(found, actor=ACTOR)
        report.open = Incident.objects.filter(closed_at=None).count()
    report.seconds = time.monotonic() - began
    return report


@dataclass(frozen=True, slots=True)
class Repaired:
    """One repair that was asked for."""

    incident: Incident
    outcome: str
    done: bool


def repairable() -> list[Incident]:
    """Open incidents that suggest a repair, kind by kind: a payment is settled before what that makes possible."""
    by_kind = {kind: number for number, kind in enumerate(IncidentKind.values)}
    waiting = Incident.objects.filter(closed_at=None).exclude(repair="").select_related("order")
    mendable = [incident for incident in waiting if can_repair(incident)]
    return sorted(mendable, key=lambda incident: (by_kind[incident.kind], incident.pk))


def repair_all(incidents: list[Incident], *, by: Actor) -> Iterator[Repaired]:
    """Repair one after the other; what cannot be is reported, and the others do not wait for it.

    Raises:
        Unknown, Unavailable, Postponed: the provider is not to be had. What was repaired until then stays so.
    """
    for incident in incidents:
        try:
            yield Repaired(incident, repair(incident, by=by), done=True)
        except (NotRepaired, Misconfigured) as problem:
            yield Repaired(incident, str(getattr(problem, "detail", problem)), done=False)
