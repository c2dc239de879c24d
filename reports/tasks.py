"""The tasks of reports and of the nightly clean-up. Each may run twice."""

from datetime import date
from typing import Any

from celery import shared_task
from celery.result import AsyncResult

from proj.jobs.task import JobTask
from reports import making, retention, services


@shared_task(
    base=JobTask,
    name="reports.start_report",
    subject="report",
    queue="bulk",
    soft_time_limit=20,
    time_limit=30,
)
def start_report(report_id: int) -> int:
    """Send out the tasks for what the report still owes. Returns how many days are missing."""
    return services.start_report(report_id)


@shared_task(
    base=JobTask,
    name="reports.sum_days",
    subject="report",
    queue="bulk",
    bind=True,
    soft_time_limit=120,
    time_limit=150,
)
def sum_days(self: JobTask, report_id: int, first: str, last: str) -> int:
    """Sum the days from ``first`` to ``last`` (ISO dates, both included) into the report's rows."""
    self.progress(0, 1, f"summing {first} to {last}")
    return making.sum_days(report_id, date.fromisoformat(first), date.fromisoformat(last))


# A million orders took 157 s on two cores that were busy with other work too.
@shared_task(
    base=JobTask,
    name="reports.write_report",
    subject="report",
    queue="bulk",
    bind=True,
    soft_time_limit=600,
    time_limit=660,
)
def write_report(self: JobTask, report_id: int) -> int:
    """Write the report's file and publish it. Returns its rows."""
    return making.write_report(report_id, self.progress)


@shared_task(name="reports.fail_report", queue="bulk", soft_time_limit=20, time_limit=30)
def fail_report(failed_id: str, report_id: int) -> bool:
    """Errback: end the report with what its failed task, ``failed_id``, left as its error."""
    reason = AsyncResult(failed_id).result or f"Its task {failed_id} failed."
    return services.fail_report(report_id, str(reason))


@shared_task(
    base=JobTask,
    name="reports.build_daily_report",
    queue="bulk",
    schedulable=True,
    soft_time_limit=20,
    time_limit=30,
)
def build_daily_report() -> str:
    """Ask for yesterday's report, once however often this runs. Returns its public id."""
    return str(services.build_daily_report().public_id)


@shared_task(
    base=JobTask,
    name="reports.resume_stuck_reports",
    queue="bulk",
    schedulable=True,
    soft_time_limit=60,
    time_limit=90,
)
def resume_stuck_reports() -> int:
    """Start again the reports that have not moved for a while. Returns how many."""
    return services.resume_stuck_reports()


# The clean-up stops itself before its limits; what is left waits for the next night.
@shared_task(
    base=JobTask, name="reports.clean_up", queue="bulk", schedulable=True, soft_time_limit=660, time_limit=720
)
def clean_up() -> dict[str, Any]:
    """Delete everything that has expired, in small batches, until done or out of time. Returns counts by name."""
    return retention.run(retention.everything()).as_dict()


@shared_task(
    base=JobTask,
    name="reports.purge_results",
    queue="bulk",
    schedulable=True,
    soft_time_limit=660,
    time_limit=720,
)
def purge_results() -> dict[str, Any]:
    """Delete expired task results alone, for schedules that want them gone more often. Returns counts by name."""
    return retention.run(retention.results()).as_dict()
