"""Tells whose report a task works on, for the jobs API and the admin."""

from collections.abc import Sequence

from django.urls import reverse

from proj.jobs import subjects
from proj.jobs.subjects import Subject
from reports.models import Report


def register_all() -> None:
    """Make known what a report is."""
    subjects.register("report", resolve_report, find=find_report, task_ids=tasks_of_report)


def resolve_report(identity: str) -> Subject | None:
    """Return the report with a primary key."""
    return _subject(Report.objects.filter(pk=identity).first() if identity.isdecimal() else None)


def find_report(task_id: str) -> Subject | None:
    """Return the report whose file the task writes, or None."""
    return _subject(Report.objects.filter(task_id=task_id).first() if task_id else None)


def tasks_of_report(identity: str) -> Sequence[str]:
    """Return the id of the task that writes a report's file."""
    if not identity.isdecimal():
        return []
    return list(Report.objects.filter(pk=identity).exclude(task_id="").values_list("task_id", flat=True))


def _subject(report: Report | None) -> Subject | None:
    if report is None:
        return None
    staff_url = reverse("admin:reports_report_change", args=[report.pk])
    return Subject(f"report:{report.pk}", report.owner_id, report.get_absolute_url(), staff_url)
