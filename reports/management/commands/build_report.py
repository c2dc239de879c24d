"""Build a daily sales report, and wait for it if asked to.

Exit codes: 0 the report is accepted, or with --wait ready; 1 it failed, was cancelled or did not come in time;
2 it was asked for in a way that makes no sense.
"""

import json
import sys
import time
from argparse import ArgumentParser
from datetime import date, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from reports import services
from reports.errors import ReportRefused
from reports.models import Report

LOOK_EVERY = 0.2  # seconds; one primary-key look-up each time


class Command(BaseCommand):
    help = "Build a daily sales report. Without days: yesterday's."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="first", type=date.fromisoformat, metavar="YYYY-MM-DD")
        parser.add_argument("--to", dest="last", type=date.fromisoformat, metavar="YYYY-MM-DD")
        parser.add_argument(
            "--user",
            metavar="NAME",
            help="whose report it is; without, the schedule's, made once for the same days",
        )
        parser.add_argument("--wait", action="store_true", help="stay until the report has ended")
        parser.add_argument("--timeout", type=float, default=600, help="seconds to wait at most (600)")
        parser.add_argument("--json", action="store_true", help="print the report as one JSON object")

    def handle(self, **options: Any) -> None:
        yesterday = timezone.now().date() - timedelta(days=1)
        last = options["last"] or options["first"] or yesterday
        owner = self.find_user(options["user"])
        try:
            report = services.request_report(owner, options["first"] or last, last)
        except ReportRefused as refused:
            raise CommandError(refused.detail, returncode=2) from refused
        if options["wait"]:
            self.follow(report, options["timeout"])
        self.stdout.write(json.dumps(describe(report)) if options["json"] else sentence(report))
        if report.status in Report.ENDED_EARLY or (options["wait"] and not report.is_ready):
            sys.exit(1)

    def find_user(self, name: str | None) -> User | None:
        user = User.objects.filter(username=name).first() if name is not None else None
        if name is not None and user is None:
            raise CommandError(f"There is no user {name}.", returncode=2)
        return user

    def follow(self, report: Report, seconds: float) -> None:
        """Show how far the report is, on a terminal only, until it has ended or ``seconds`` are over."""
        deadline = time.monotonic() + seconds
        shows = self.stderr.isatty()
        while not report.is_finished and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY)
            report.refresh_from_db()
            if shows:
                bar = "#" * (report.percent * 30 // 100)
                days = f"{report.progress_done}/{report.progress_total} days"
                self.stderr.write(f"\r[{bar:30}] {days} {report.step:10}", ending="")
        if shows:
            self.stderr.write("")


def describe(report: Report) -> dict[str, Any]:
    """Return what programs read of a report."""
    return {
        "id": str(report.public_id),
        "from": report.date_from.isoformat(),
        "to": report.date_to.isoformat(),
        "status": report.status,
        "rows": report.rows,
        "file": report.file.name or None,
        "error": report.error or None,
    }


def sentence(report: Report) -> str:
    """Return what people read of a report."""
    ending = f": {report.rows} rows in {report.file.name}" if report.is_ready else ""
    reason = f": {report.error}" if report.error else ""
    return f"{report}: {report.status}{ending}{reason} ({report.public_id})"
