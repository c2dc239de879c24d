import threading
from datetime import date, datetime, timedelta, timezone

import pytest
import time_machine
from django.db import IntegrityError, connection

from proj.jobs.models import Job
from reports import making, services
from reports.errors import ReportRefused
from reports.models import Report

NOW = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)
FIRST, LAST = date(2026, 1, 1), date(2026, 1, 31)


@pytest.mark.parametrize(
    ("first", "last", "code"),
    [
        (date(2026, 1, 2), date(2026, 1, 1), "dates_reversed"),
        (date(2026, 3, 10), date(2026, 3, 11), "date_in_future"),
        (date(2025, 1, 1), date(2026, 1, 2), "too_many_days"),
    ],
)
@time_machine.travel(NOW, tick=False)
def test_days_that_no_report_can_have_are_refused(analyst, first, last, code):
    with pytest.raises(ReportRefused) as refused:
        services.request_report(analyst, first, last)

    assert refused.value.code == code
    assert Report.objects.count() == 0


@time_machine.travel(NOW, tick=False)
def test_a_report_of_366_days_until_today_is_accepted(analyst, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        report = services.request_report(analyst, date(2025, 3, 10), date(2026, 3, 10))

    assert (report.status, report.progress_done, report.progress_total) == ("queued", 0, 366)
    assert report.task_id != ""
    assert len(callbacks) == 1  # a request pays for one message at most


@time_machine.travel(NOW, tick=False)
def test_starting_a_report_sends_one_message_for_each_chunk_of_days(analyst):
    report = services.request_report(analyst, date(2025, 3, 10), date(2026, 3, 10))

    missing = services.start_report(report.pk)

    assert missing == 366
    assert Job.objects.filter(task="reports.sum_days").count() == 12
    assert not Job.objects.filter(task="reports.write_report").exists()  # the last of them sends it


def test_a_report_that_has_ended_is_not_started(make_report, django_capture_on_commit_callbacks):
    report = make_report()
    services.cancel_report(report.pk)

    with django_capture_on_commit_callbacks() as callbacks:
        assert services.start_report(report.pk) == 0

    assert callbacks == []


def test_each_person_gets_a_report_of_their_own_for_the_same_days(analyst, clerk):
    reports = {services.request_report(user, FIRST, LAST).pk for user in (analyst, analyst, clerk)}

    assert len(reports) == 3


def test_a_failed_report_says_why(make_report):
    report = make_report()

    assert services.fail_report(report.pk, "the disk is full") is True

    report.refresh_from_db()
    assert (report.status, report.error, report.step) == ("failed", "the disk is full", "")
    assert report.finished_at is not None


@time_machine.travel(NOW, tick=False)
def test_the_schedule_gets_one_report_of_yesterday_however_often_it_asks(db):
    first = services.build_daily_report()
    again = services.build_daily_report()

    assert first.pk == again.pk
    assert (first.date_from, first.date_to) == (date(2026, 3, 9), date(2026, 3, 9))
    assert Report.objects.count() == 1


@time_machine.travel(NOW, tick=False)
def test_the_schedule_may_ask_again_after_a_failure(db):
    first = services.build_daily_report()
    services.fail_report(first.pk, "the disk was full")

    again = services.build_daily_report()

    assert again.pk != first.pk
    assert again.status == "queued"


@pytest.mark.django_db(transaction=True)
def test_beats_that_ask_at_once_get_one_report(waiting):
    barrier = threading.Barrier(6)
    made = []

    def ask() -> None:
        barrier.wait()
        made.append(services.build_daily_report().pk)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 6
    assert len(set(made)) == 1
    assert waiting("bulk") == 1


def age(report: Report, **ago: int) -> None:
    Report.objects.filter(pk=report.pk).update(updated_at=datetime.now(timezone.utc) - timedelta(**ago))


@pytest.mark.django_db(transaction=True)
def test_a_stuck_report_is_given_only_what_it_still_owes(make_report, waiting):
    report = make_report(task_id="write")
    making.sum_days(report.pk, FIRST, date(2026, 1, 10))
    making.sum_days(report.pk, date(2026, 1, 12), LAST)
    age(report, minutes=6)

    assert making.missing_days(report) == [date(2026, 1, 11)]
    assert services.resume_stuck_reports() == 1
    assert services.resume_stuck_reports() == 0
    assert waiting("bulk") == 1
    assert services.start_report(report.pk) == 1

    assert waiting("bulk") == 2
    report.refresh_from_db()
    assert (report.status, report.progress_done, report.task_id) == ("running", 30, "write")


@pytest.mark.django_db(transaction=True)
def test_a_report_that_lost_its_last_message_is_written(make_report, waiting):
    report = make_report(task_id="write")
    making.sum_days(report.pk, FIRST, LAST)
    age(report, minutes=6)

    assert services.resume_stuck_reports() == 1
    assert services.start_report(report.pk) == 0

    assert waiting("bulk") == 2


def test_reports_that_move_or_have_ended_are_left_alone(make_report):
    make_report()
    ended = make_report(status="failed", finished_at=NOW)
    age(ended, days=3)

    assert services.resume_stuck_reports() == 0


def test_a_report_that_never_ends_is_given_up_after_a_day(make_report):
    report = make_report()
    Report.objects.filter(pk=report.pk).update(created_at=NOW - timedelta(days=300))
    age(report, minutes=6)

    assert services.resume_stuck_reports() == 0

    report.refresh_from_db()
    assert report.status == "failed"
    assert report.error == "It was started again and again for a day and never finished."


@pytest.mark.parametrize(
    ("constraint", "change"),
    [
        ("report_days_in_order", {"date_to": date(2025, 12, 31)}),
        ("report_progress_within_total", {"progress_done": 32}),
        ("report_ready_means_file", {"status": "ready", "finished_at": NOW}),
        ("report_ready_means_file", {"file": "some.csv"}),
        ("report_ended_means_finished_at", {"status": "failed"}),
        ("report_ended_means_finished_at", {"finished_at": NOW}),
    ],
)
def test_the_database_refuses_a_report_that_makes_no_sense(make_report, constraint, change):
    report = make_report()

    with pytest.raises(IntegrityError, match=constraint):
        Report.objects.filter(pk=report.pk).update(**change)
