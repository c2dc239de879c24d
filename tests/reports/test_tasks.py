from datetime import date

import pytest
from celery import current_app

from proj.queues import WORKERS
from reports import tasks
from reports.models import Report

NAMES = [
    "reports.build_daily_report",
    "reports.clean_up",
    "reports.fail_report",
    "reports.purge_results",
    "reports.resume_stuck_reports",
    "reports.start_report",
    "reports.sum_days",
    "reports.write_report",
]


def test_these_are_the_tasks_of_reports():
    assert sorted(name for name in current_app.tasks if name.startswith("reports.")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_works_on_bulk_within_a_quarter_of_an_hour(name):
    task = current_app.tasks[name]

    assert task.home_queue == "bulk"
    assert task.soft_time_limit < task.time_limit <= 900
    assert "bulk" in {queue for group in WORKERS for queue in group.queues}


def test_the_tasks_called_in_turn_make_a_report(make_report, sell):
    sell(date(2026, 1, 5), 4200)
    report = make_report()

    assert tasks.sum_days(report.pk, "2026-01-01", "2026-01-31") == 31
    assert tasks.write_report(report.pk) == 31

    assert Report.objects.get().status == "ready"


def test_the_errback_ends_the_report(make_report):
    report = make_report()

    assert tasks.fail_report("7d1e", report.pk) is True

    report.refresh_from_db()
    assert (report.status, report.error) == ("failed", "Its task 7d1e failed.")


def test_the_clean_up_says_what_it_did(db):
    done = tasks.clean_up()

    assert done["failed"] == done["unfinished"] == []
    assert set(done["deleted"].values()) == {0}


def test_the_result_clean_up_says_what_it_did(db):
    assert tasks.purge_results() == {
        "deleted": {"chord counters": 0, "task results": 0, "group results": 0},
        "failed": [],
        "unfinished": [],
    }
