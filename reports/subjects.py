"""Tells whose report a task works on, for the jobs API."""

from proj.jobs import subjects
from reports.models import Report


def register_all() -> None:
    """Add the lookup of this app."""
    subjects.register(find_report)


def find_report(task_id: str) -> subjects.Subject | None:
    """Return the report whose file the task writes, or None."""
    report = Report.objects.filter(task_id=task_id).first()
    if report is None:
        return None
    return subjects.Subject(f"report:{report.pk}", report.owner_id, report.get_absolute_url())
