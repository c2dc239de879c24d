"""Compare the payment provider with our payments, orders, books and stock.

Exit codes: 0 nothing is open; 1 something differs, or an incident is open; 2 it could not be done.
"""

import json
import re
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date

from orders.payments.gateway import Misconfigured, Unavailable, Unknown
from orders.payments.models import Incident
from orders.payments.reconciling import GRACE, Repaired, Report, Window, reconcile, repair_all, repairable
from orders.payments.reconciling.printing import Meter, kinds_of, lines_of
from proj.jobs import audit
from proj.jobs.errors import Postponed

UNITS = {"d": "days", "h": "hours", "m": "minutes"}


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        when = "2026-11-01, or 3d, 12h, 30m ago (default: 3d)"
        parser.add_argument("--since", type=moment, default="3d", metavar="WHEN", help=when)
        parser.add_argument("--repair", action="store_true", help="repair what can be repaired; asks before")
        parser.add_argument("--yes", action="store_true", help="do not ask before repairing")
        parser.add_argument("--dry-run", action="store_true", help="write nothing, repair nothing")
        parser.add_argument("--json", action="store_true", help="print the report as one JSON object")

    def handle(self, **options: Any) -> None:
        window = Window(options["since"], timezone.now() - GRACE)
        if window.since >= window.until:
            raise CommandError(
                "--since must be some minutes ago: what is younger may be on its way.", returncode=2
            )
        try:
            report = self.compare(window, options)
            repairs = self.repair(options) if options["repair"] and not options["dry_run"] else []
        except (Unknown, Unavailable, Misconfigured) as error:
            raise CommandError(
                f"The payment provider cannot be asked: {error.detail}", returncode=2
            ) from error
        except Postponed as reason:
            raise CommandError(
                f"The payment provider cannot be asked now: {reason}", returncode=2
            ) from reason
        left = report.open if options["dry_run"] else Incident.objects.filter(closed_at=None).count()
        if options["json"]:
            self.stdout.write(json.dumps({**report.as_json(), "repairs": repairs, "open": left}))
        elif repairs:
            self.stdout.write(f"{left:,} open.")
        if left:
            sys.exit(1)

    def compare(self, window: Window, options: dict[str, Any]) -> Report:
        meter = Meter(self.stderr)
        try:
            report = reconcile(window, dry_run=options["dry_run"], progress=meter.advance)
        finally:
            meter.clear()
        for line in [] if options["json"] else lines_of(report):
            self.stdout.write(line)
        return report

    def repair(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        """Repair what is open, once somebody has agreed; returns what became of each, for programs."""
        waiting = repairable()
        if not waiting or not (options["yes"] or self.agrees([incident.kind for incident in waiting])):
            return []
        done = []
        for repaired in repair_all(waiting, by=audit.by_command()):
            done.append(_described(repaired))
            if not options["json"]:
                self.stdout.write(f"{'repaired' if repaired.done else 'NOT REPAIRED'}: {repaired.incident}")
                self.stdout.write(f"  {repaired.outcome}")
        return done

    def agrees(self, kinds: list[str]) -> bool:
        """Ask at the terminal. Where nobody is there to be asked, nothing is repaired."""
        if not sys.stdin.isatty():
            raise CommandError(f"To repair {kinds_of(kinds)} without being asked, say --yes.", returncode=2)
        self.stderr.write(f"Repair {kinds_of(kinds)} as suggested? [y/N] ", ending="")
        self.stderr.flush()
        return sys.stdin.readline().strip().lower() in {"y", "yes"}


def moment(text: str) -> datetime:
    """A date (its midnight, UTC) or how long ago, such as 3d; anything else is refused by argparse."""
    if ago := re.fullmatch(r"(\d{1,5})([dhm])", text):
        return timezone.now() - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    date = parse_date(text)
    if date is None:
        raise ValueError(text)
    return datetime(date.year, date.month, date.day, tzinfo=UTC)


def _described(repaired: Repaired) -> dict[str, Any]:
    incident = repaired.incident
    return {
        "incident": incident.pk,
        "kind": incident.kind,
        "fingerprint": incident.fingerprint,
        "done": repaired.done,
        "outcome": repaired.outcome,
    }
