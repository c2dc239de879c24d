"""What can be done with a report. Each function owns its transactions and may run twice."""

import uuid
from datetime import date, timedelta

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from orders.models.selecting import OrderSelection
from proj.jobs import audit
from reports import days, making, pipeline
from reports.errors import ReportRefused
from reports.models import Report

# A report that has not moved for this long lost a message on the way; a chunk of days takes well under a minute.
STUCK_AFTER = timedelta(minutes=5)
# Resumed so often without an end, it never will.
GIVE_UP_AFTER = timedelta(hours=24)


def request_report(
    owner: User | None, first: date, last: date, *, kind: str = Report.Kind.DAILY_SALES
) -> Report:
    """Accept a report and start its work.

    Args:
        owner: who asked; None for the schedule, which has one live report for the same days however often it asks.
        first: the first day.
        last: the last day, which is part of the report; at most today.
        kind: a ``Report.Kind``.

    Raises:
        ReportRefused: the days are not ones that a report can have.
    """
    days.check(first, last)
    try:
        with transaction.atomic():
            report = Report.objects.create(
                owner=owner,
                kind=kind,
                date_from=first,
                date_to=last,
                progress_total=(last - first).days + 1,
                step="waiting",
                task_id=str(uuid.uuid4()),
            )
            pipeline.start(report.pk)
    except IntegrityError:
        if owner is not None:
            raise
        # The schedule's reports are unique: this one is being made, or was made before.
        return Report.objects.scheduled().get(kind=kind, date_from=first, date_to=last)
    return report


def request_orders(owner: User, selection: OrderSelection, *, by: audit.Actor) -> Report:
    """Accept an export of the orders that somebody has selected, and start its work.

    The file has the orders as they are at one moment, which the report tells: when its writing began.

    Args:
        owner: who asked.
        selection: which orders.
        by: the same person, for the audit log: customers' names leave the shop.

    Raises:
        ReportRefused: a part of the selection cannot be understood.
    """
    if selection.lost:
        raise ReportRefused(
            "unclear_selection", f"This could not be understood: {', '.join(selection.lost)}."
        )
    today = timezone.now().date()
    with transaction.atomic():
        report = Report.objects.create(
            owner=owner,
            kind=Report.Kind.ORDERS,
            date_from=today,
            date_to=today,
            selection=dict(selection.asked),
            step="waiting",
            task_id=str(uuid.uuid4()),
        )
        pipeline.start(report.pk)
        audit.record(by, "order.export", f"report:{report.pk}", after={"selection": report.selection})
    return report


def start_report(report_id: int) -> int:
    """Send out the tasks for whatever the report still owes: all of its days at first, fewer after a mishap.

    Returns:
        How many days are missing; 0 also when the report has ended.
    """
    with transaction.atomic():
        report = Report.objects.select_for_update().unfinished().filter(pk=report_id).first()
        if report is None:
            return 0
        missing = making.missing_days(report)
        pipeline.sum_and_write(report.pk, missing, report.task_id)
        report.save(update_fields=["updated_at"])
    return len(missing)


def fail_report(report_id: int, error: str) -> bool:
    """End a report that cannot be made; one that has ended stays as it is. Tells whether anything changed."""
    return end_early(report_id, Report.Status.FAILED, error)


def cancel_report(report_id: int, *, by: audit.Actor | None = None, reason: str = "") -> bool:
    """Stop a report; its tasks notice when they next look. Tells whether it was still to be stopped.

    Args:
        report_id: the report's primary key.
        by: a member of staff who stops somebody else's, for the audit log, and
        reason: why.

    """
    with transaction.atomic():
        stopped = end_early(report_id, Report.Status.CANCELLED, "")
        if stopped and by is not None:
            after = {"status": Report.Status.CANCELLED.value}
            audit.record(by, "report.cancel", f"report:{report_id}", reason=reason, after=after)
    return stopped


def end_early(report_id: int, status: Report.Status, error: str) -> bool:
    now = timezone.now()
    unfinished = Report.objects.unfinished().filter(pk=report_id)
    return bool(unfinished.update(status=status, error=error, step="", finished_at=now, updated_at=now))


def build_daily_report() -> Report:
    """Ask for yesterday's report on behalf of the schedule: once a day, however often this is called."""
    yesterday = timezone.now().date() - timedelta(days=1)
    return request_report(None, yesterday, yesterday)


def resume_stuck_reports(older_than: timedelta = STUCK_AFTER) -> int:
    """Start again what lost a message on the way: only the days that are missing, or only the file.

    Args:
        older_than: a report that moved later than this long ago is left alone.

    Returns:
        How many reports were resumed; those given up are not counted.
    """
    now = timezone.now()
    resumed = 0
    for report_id in (
        Report.objects.unfinished().filter(updated_at__lt=now - older_than).values_list("pk", flat=True)
    ):
        with transaction.atomic():
            report = Report.objects.stuck(now - older_than).filter(pk=report_id).first()
            if report is None:
                continue
            if report.created_at < now - GIVE_UP_AFTER:
                fail_report(report.pk, "It was started again and again for a day and never finished.")
                continue
            report.save(update_fields=["updated_at"])  # not stuck for the next five minutes
            pipeline.start(report.pk)
            resumed += 1
    return resumed
