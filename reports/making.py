"""How a report is made: its days are summed in chunks side by side, then its file is written. Each step may run twice."""

from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from proj.jobs.errors import Permanent
from reports import files, order_rows, sales
from reports.errors import EndedMeanwhile
from reports.models import Report, ReportDay


def missing_days(report: Report) -> list[date]:
    """Tell the days that have not been summed, in order. An export of orders has none."""
    if report.is_export:
        return []
    summed = set(report.days.values_list("day", flat=True))
    every = (report.date_from + timedelta(days=n) for n in range(report.progress_total))
    return [day for day in every if day not in summed]


def sum_days(report_id: int, first: date, last: date) -> int:
    """Sum the days from ``first`` to ``last``, replacing what an earlier run may have left.

    Returns:
        How many days were summed; 0 when the report has ended meanwhile.
    """
    rows = list(sales.with_empty_days(sales.daily_totals(first, last), first, last))
    with transaction.atomic():
        # The lock serialises the chunks of one report, so that the count below sees each other's days.
        report = Report.objects.select_for_update().unfinished().filter(pk=report_id).first()
        if report is None:
            return 0
        report.days.filter(day__range=(first, last)).delete()
        ReportDay.objects.bulk_create(ReportDay(report=report, **row._asdict()) for row in rows)
        report.status = Report.Status.RUNNING
        report.started_at = report.started_at or timezone.now()
        report.progress_done = report.days.values("day").distinct().count()
        report.step = "summing"
        report.save(update_fields=["status", "started_at", "progress_done", "step", "updated_at"])
    return (last - first).days + 1


def write_report(report_id: int, progress: files.Progress) -> int:
    """Write the file under a name of its own, then publish it: nobody ever sees half a file.

    Args:
        report_id: the report's primary key.
        progress: told (rows written, rows in all, step) now and then.

    Returns:
        How many rows the file has; 0 when the report had ended already.

    Raises:
        Permanent: days are missing, so there is nothing to write yet.
    """
    report = Report.objects.unfinished().filter(pk=report_id).first()
    if report is None:
        return 0
    if missing_days(report):
        raise Permanent("Some days have not been summed.")
    begin_writing(report)
    try:
        name, rows = files.write(report, progress)
    except EndedMeanwhile:
        return 0
    now = timezone.now()
    published = (
        Report.objects.unfinished()
        .filter(pk=report_id)
        .update(
            status=Report.Status.READY,
            file=name,
            rows=rows,
            step="",
            started_at=report.started_at or now,
            finished_at=now,
            updated_at=now,
        )
    )
    if not published:  # cancelled meanwhile, or a twin of this task was faster
        files.discard(name)
        return 0
    return rows


def begin_writing(report: Report) -> None:
    """Show that the file is being written; an export also counts its orders and notes their moment."""
    total = order_rows.orders_of(report).count() if report.is_export else report.progress_total
    now = timezone.now()
    begun: dict[str, Any] = {"step": "writing", "updated_at": now}
    if report.is_export:
        begun |= {
            "status": Report.Status.RUNNING,
            "started_at": report.started_at or now,
            "as_of": now,
            "progress_done": 0,
            "progress_total": total,
        }
    Report.objects.unfinished().filter(pk=report.pk).update(**begun)
    report.progress_total = total
