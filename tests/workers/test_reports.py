import io
import json
from datetime import date
from pathlib import Path

import pytest
from django.core.management import call_command
from django_celery_results.models import ChordCounter, TaskResult

from reports import making, services
from reports.models import Report
from tests.factories import make_order, make_user
from tests.waiting import eventually


@pytest.fixture
def analyst(transactional_db):
    return make_user("analyst", is_staff=True, is_superuser=True)


def reach(report: Report, status: str) -> Report:
    def look() -> bool:
        report.refresh_from_db()
        assert report.status in (status, *Report.UNFINISHED), report.error
        return report.status == status

    eventually(look, why=f"the report is {report.status}")
    return report


def test_a_year_is_summed_in_parts_and_written_to_a_file(shop, analyst):
    sale = make_order(status="completed", customer=analyst).sale
    sale.day = date(2025, 6, 15)
    sale.save()

    report = reach(services.request_report(analyst, date(2025, 1, 1), date(2025, 12, 31)), "ready")

    lines = Path(shop.folder, "reports", str(report.file)).read_text().splitlines()
    assert (report.rows, report.progress_done, report.progress_total) == (365, 365, 365)
    assert len(lines) == 366
    assert lines[166] == "2025-06-15,GBP,1,1,5.00"
    tasks = TaskResult.objects.filter(status="SUCCESS").values_list("task_name", flat=True)
    assert sorted(tasks) == ["reports.start_report", *["reports.sum_days"] * 12, "reports.write_report"]
    assert TaskResult.objects.get(task_name="reports.write_report").task_id == report.task_id
    assert ChordCounter.objects.count() == 0


def test_the_command_waits_for_its_report(shop):
    out = io.StringIO()

    call_command("build_report", "--from", "2026-01-01", "--to", "2026-01-31", "--wait", "--json", stdout=out)

    printed = json.loads(out.getvalue())
    assert (printed["status"], printed["rows"]) == ("ready", 31)
    assert Path(shop.folder, "reports", printed["file"]).exists()


def test_a_report_of_one_day_needs_no_chord(shop, analyst):
    report = reach(services.request_report(analyst, date(2026, 1, 1), date(2026, 1, 1)), "ready")

    assert (report.rows, report.progress_done) == (1, 1)
    assert TaskResult.objects.get(task_name="reports.write_report").task_id == report.task_id


@pytest.mark.parametrize("last", [date(2026, 1, 1), date(2026, 3, 31)])
def test_a_report_that_cannot_be_written_fails_and_says_why(shop, analyst, last):
    folder = Path(shop.folder, "reports")
    kept = folder.rename(folder.with_name("kept")) if folder.exists() else None
    folder.write_text("a file where the folder should be")
    try:
        report = reach(services.request_report(analyst, date(2026, 1, 1), last), "failed")
    finally:
        folder.unlink()
        if kept is not None:
            kept.rename(folder)

    assert "Not a directory" in report.error or "File exists" in report.error
    assert str(report.file) == ""


def test_a_report_that_lost_all_its_messages_is_finished_by_the_sweep(shop, analyst):
    report = Report.objects.create(
        owner=analyst,
        date_from=date(2026, 1, 1),
        date_to=date(2026, 3, 31),
        progress_total=90,
        task_id="2c5a0c0e-2a4e-4d0e-8a69-79f1d3b0a001",
    )
    making.sum_days(report.pk, date(2026, 1, 1), date(2026, 2, 15))
    Report.objects.update(updated_at=date(2026, 1, 1).strftime("%Y-%m-%dT00:00Z"))

    assert services.resume_stuck_reports() == 1

    reach(report, "ready")
    assert report.rows == 90
    # Only the days that were missing: the rest of February, and March.
    assert TaskResult.objects.filter(task_name="reports.sum_days").count() == 2
