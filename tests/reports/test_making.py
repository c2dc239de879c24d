import csv
import threading
from datetime import date, datetime, timedelta, timezone

import pytest
from django.core.files.storage import storages
from django.db import connection

from proj.jobs.errors import Permanent
from reports import files, making, services
from reports.models import ReportDay

NOW = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)
FIRST, LAST = date(2026, 1, 1), date(2026, 1, 31)


def no_progress(done: int, total: int, step: str) -> None:
    """Take no notice."""


def stored_files() -> list[str]:
    storage = storages["reports"]
    folders, _ = storage.listdir("") if storage.exists("") else ([], [])
    return [f"{folder}/{name}" for folder in folders for name in storage.listdir(folder)[1]]


def test_summing_twice_leaves_what_summing_once_left(make_report, sell):
    report = make_report()
    sell(date(2026, 1, 3), 700, items=2)
    sell(date(2026, 1, 3), 300, currency="EUR")

    assert making.sum_days(report.pk, FIRST, LAST) == 31
    once = list(
        ReportDay.objects.order_by("day", "currency").values_list("day", "currency", "orders", "amount")
    )
    assert making.sum_days(report.pk, FIRST, LAST) == 31

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
    making.sum_days(report.pk, FIRST, FIRST)
    sell(FIRST, 250)

    making.sum_days(report.pk, FIRST, FIRST)

    assert list(report.days.values_list("currency", "amount")) == [("GBP", 250)]


@pytest.mark.django_db(transaction=True)
def test_chunks_summed_side_by_side_lose_no_progress(make_report):
    report = make_report()
    days = [FIRST + timedelta(days=n) for n in range(31)]
    barrier = threading.Barrier(8)

    def work(mine: list[date]) -> None:
        barrier.wait()
        for day in mine:
            making.sum_days(report.pk, day, day)
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
    making.sum_days(report.pk, FIRST, date(2026, 1, 2))
    told = []

    assert making.write_report(report.pk, lambda *progress: told.append(progress)) == 2

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
    making.sum_days(report.pk, FIRST, FIRST)
    making.write_report(report.pk, no_progress)

    assert making.write_report(report.pk, no_progress) == 0

    report.refresh_from_db()
    assert stored_files() == [report.file.name]


def test_a_file_that_lost_the_race_is_taken_away(make_report):
    report = make_report(FIRST, FIRST)
    making.sum_days(report.pk, FIRST, FIRST)

    assert making.write_report(report.pk, lambda *_: services.cancel_report(report.pk) and None) == 0

    report.refresh_from_db()
    assert (report.status, report.file.name, report.rows) == ("cancelled", "", None)
    assert stored_files() == []


def test_no_file_is_written_while_days_are_missing(make_report):
    report = make_report()
    making.sum_days(report.pk, FIRST, FIRST)

    with pytest.raises(Permanent, match="Some days have not been summed"):
        making.write_report(report.pk, no_progress)

    assert stored_files() == []


def test_a_crash_while_writing_publishes_nothing(make_report, monkeypatch):
    report = make_report(FIRST, FIRST)
    making.sum_days(report.pk, FIRST, FIRST)

    def crash(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(files.exports, "write_csv", crash)

    with pytest.raises(OSError, match="no space left"):
        making.write_report(report.pk, no_progress)

    report.refresh_from_db()
    assert (report.status, report.file.name) == ("running", "")
    assert stored_files() == []


def test_a_cancelled_report_is_not_summed_any_more(make_report):
    report = make_report()

    assert services.cancel_report(report.pk) is True
    assert services.cancel_report(report.pk) is False
    assert making.sum_days(report.pk, FIRST, LAST) == 0

    report.refresh_from_db()
    assert (report.status, report.progress_done, report.days.count()) == ("cancelled", 0, 0)


def test_a_ready_report_can_neither_fail_nor_be_cancelled(make_report):
    report = make_report(FIRST, FIRST)
    making.sum_days(report.pk, FIRST, FIRST)
    making.write_report(report.pk, no_progress)

    assert services.fail_report(report.pk, "too late") is False
    assert services.cancel_report(report.pk) is False

    report.refresh_from_db()
    assert (report.status, report.error) == ("ready", "")
