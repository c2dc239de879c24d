import csv
import threading
from datetime import date, datetime, timedelta, timezone

import pytest
import time_machine
from django.core.files.storage import storages
from django.db import IntegrityError, connection

from proj.jobs.errors import Permanent
from proj.jobs.models import Job
from reports import files, services
from reports.errors import ReportRefused
from reports.models import Report, ReportDay

NOW = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)
FIRST, LAST = date(2026, 1, 1), date(2026, 1, 31)


def no_progress(done: int, total: int, step: str) -> None:
    """Take no notice."""


def stored_files() -> list[str]:
    storage = storages["reports"]
    folders, _ = storage.listdir("") if storage.exists("") else ([], [])
    return [f"{folder}/{name}" for folder in folders for name in storage.listdir(folder)[1]]


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


def test_summing_twice_leaves_what_summing_once_left(make_report, sell):
    report = make_report()
    sell(date(2026, 1, 3), 700, items=2)
    sell(date(2026, 1, 3), 300, currency="EUR")

    assert services.sum_days(report.pk, FIRST, LAST) == 31
    once = list(
        ReportDay.objects.order_by("day", "currency").values_list("day", "currency", "orders", "amount")
    )
    assert services.sum_days(report.pk, FIRST, LAST) == 31

    report.refresh_from_db()
    assert (report.status, report.progress_done, report.step) == ("running", 31, "summing")
    assert once == list(
        ReportDay.objects.order_by("day", "currency").values_list("day", "currency", "orders", "amount")
    )
    assert (date(2026, 1, 3), "EUR", 1, 300) in once
    assert (date(2026, 1, 3), "GBP", 1, 700) in once
    assert len(once) == 32


def test_summing_again_takes_the_sales_that_came_meanwhile(make_report, sell):
    report = make_report(FIRST, FIRST)
    services.sum_days(report.pk, FIRST, FIRST)
    sell(FIRST, 250)

    services.sum_days(report.pk, FIRST, FIRST)

    assert list(report.days.values_list("currency", "amount")) == [("GBP", 250)]


@pytest.mark.django_db(transaction=True)
def test_chunks_summed_side_by_side_lose_no_progress(make_report):
    report = make_report()
    days = [FIRST + timedelta(days=n) for n in range(31)]
    barrier = threading.Barrier(8)

    def work(mine: list[date]) -> None:
        barrier.wait()
        for day in mine:
            services.sum_days(report.pk, day, day)
        connection.close()

    threads = [threading.Thread(target=work, args=(days[n % 4 :: 4],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    report.refresh_from_db()
    assert report.progress_done == 31
    assert report.days.count() == 31


def test_the_file_has_one_row_for_each_day_and_currency(make_report, sell):
    report = make_report(FIRST, date(2026, 1, 2))
    sell(date(2026, 1, 2), 1234, items=3)
    services.sum_days(report.pk, FIRST, date(2026, 1, 2))
    told = []

    assert services.write_report(report.pk, lambda *progress: told.append(progress)) == 2

    report.refresh_from_db()
    assert (report.status, report.rows, report.step, report.error) == ("ready", 2, "", "")
    assert report.finished_at >= report.started_at
    with storages["reports"].open(report.file.name) as file:
        rows = list(csv.reader(file.read().decode().splitlines()))
    assert rows == [
        ["day", "currency", "orders", "items", "amount"],
        ["2026-01-01", "", "0", "0", "0.00"],
        ["2026-01-02", "GBP", "1", "3", "12.34"],
    ]
    assert told == [(2, 2, "writing")]
    assert report.file_name == "daily-sales-2026-01-01-2026-01-02.csv"


def test_writing_twice_publishes_one_file(make_report):
    report = make_report(FIRST, FIRST)
    services.sum_days(report.pk, FIRST, FIRST)
    services.write_report(report.pk, no_progress)

    assert services.write_report(report.pk, no_progress) == 0

    report.refresh_from_db()
    assert stored_files() == [report.file.name]


def test_a_file_that_lost_the_race_is_taken_away(make_report):
    report = make_report(FIRST, FIRST)
    services.sum_days(report.pk, FIRST, FIRST)

    assert services.write_report(report.pk, lambda *_: services.cancel_report(report.pk) and None) == 0

    report.refresh_from_db()
    assert (report.status, report.file.name, report.rows) == ("cancelled", "", None)
    assert stored_files() == []


def test_no_file_is_written_while_days_are_missing(make_report):
    report = make_report()
    services.sum_days(report.pk, FIRST, FIRST)

    with pytest.raises(Permanent, match="Some days have not been summed"):
        services.write_report(report.pk, no_progress)

    assert stored_files() == []


def test_a_crash_while_writing_publishes_nothing(make_report, monkeypatch):
    report = make_report(FIRST, FIRST)
    services.sum_days(report.pk, FIRST, FIRST)

    def crash(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(files.exports, "write_csv", crash)

    with pytest.raises(OSError, match="no space left"):
        services.write_report(report.pk, no_progress)

    report.refresh_from_db()
    assert (report.status, report.file.name) == ("running", "")
    assert stored_files() == []


def test_a_cancelled_report_is_not_summed_any_more(make_report):
    report = make_report()

    assert services.cancel_report(report.pk) is True
    assert services.cancel_report(report.pk) is False
    assert services.sum_days(report.pk, FIRST, LAST) == 0

    report.refresh_from_db()
    assert (report.status, report.progress_done, report.days.count()) == ("cancelled", 0, 0)


def test_a_ready_report_can_neither_fail_nor_be_cancelled(make_report):
    report = make_report(FIRST, FIRST)
    services.sum_days(report.pk, FIRST, FIRST)
    services.write_report(report.pk, no_progress)

    assert services.fail_report(report.pk, "too late") is False
    assert services.cancel_report(report.pk) is False

    report.refresh_from_db()
    assert (report.status, report.error) == ("ready", "")


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
    services.sum_days(report.pk, FIRST, date(2026, 1, 10))
    services.sum_days(report.pk, date(2026, 1, 12), LAST)
    age(report, minutes=6)

    assert services.missing_days(report) == [date(2026, 1, 11)]
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
    services.sum_days(report.pk, FIRST, LAST)
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
