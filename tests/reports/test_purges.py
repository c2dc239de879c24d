import json
from datetime import date, datetime, timedelta, timezone

import pytest
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_celery_results.models import ChordCounter, GroupResult, TaskResult

from reports import purges
from reports.models import Report, ReportDay

NOW = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)
FEBRUARY = date(2026, 2, 1)
KEPT = timedelta(days=7)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _a_week(settings):
    settings.CELERY_RESULT_EXPIRES = KEPT


def result(task_id: str, age: timedelta) -> None:
    TaskResult.objects.create(task_id=task_id)
    TaskResult.objects.filter(task_id=task_id).update(date_done=NOW - age, date_created=NOW - age)


def chord(group_id: str, *task_ids: str) -> None:
    tasks = json.dumps([[[task_id, None], None] for task_id in task_ids])
    ChordCounter.objects.create(group_id=group_id, sub_tasks=tasks, count=len(task_ids))


def test_results_go_when_they_have_expired_oldest_first():
    for days in (6, 8, 9, 10):
        result(f"{days} days", timedelta(days=days))

    assert purges.purge_task_results(2, NOW) == 2
    assert set(TaskResult.objects.values_list("task_id", flat=True)) == {"6 days", "8 days"}
    assert purges.purge_task_results(2, NOW) == 1
    assert purges.purge_task_results(2, NOW) == 0
    assert list(TaskResult.objects.values_list("task_id", flat=True)) == ["6 days"]


def test_a_batch_is_two_statements_that_load_no_result():
    result("old", timedelta(days=8))

    with CaptureQueriesContext(connection) as queries:
        purges.purge_task_results(1000, NOW)

    select, delete = [query["sql"] for query in queries]
    assert '"django_celery_results_taskresult"."result"' not in select
    assert "LIMIT 1000" in select
    assert delete.startswith("DELETE")


def test_a_batch_is_found_through_the_index():
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_celery_results_taskresult (task_id, status, content_type, content_encoding,"
            " date_created, date_done) SELECT 'task ' || n, 'SUCCESS', '', '', %s, %s - n * interval '1 minute'"
            " FROM generate_series(1, 20000) n",
            [NOW, NOW],
        )
        cursor.execute("ANALYZE django_celery_results_taskresult")
    expired = TaskResult.objects.filter(date_done__lt=NOW - KEPT).order_by("date_done")

    plan = expired.values_list("pk", flat=True)[:1000].explain()

    assert "Index Scan using django_cele_date_do" in plan
    assert "Sort" not in plan


def test_groups_go_when_they_have_expired():
    for name, age in (("old", 8), ("new", 6)):
        GroupResult.objects.create(group_id=name)
        GroupResult.objects.filter(group_id=name).update(date_done=NOW - timedelta(days=age))

    assert purges.purge_group_results(10, NOW) == 1
    assert list(GroupResult.objects.values_list("group_id", flat=True)) == ["new"]


def test_a_chord_that_was_lost_goes_with_everything_older():
    chord("never ran", "nowhere")
    chord("lost", "old task", "other task")
    chord("running", "new task")
    chord("just made", "not begun")
    result("old task", timedelta(days=8))
    result("new task", timedelta(days=1))

    assert purges.purge_chord_counters(10, NOW) == 2
    assert list(ChordCounter.objects.order_by("pk").values_list("group_id", flat=True)) == [
        "running",
        "just made",
    ]


def test_no_chord_goes_while_none_is_known_to_be_old():
    chord("just made", "not begun")

    assert purges.purge_chord_counters(10, NOW) == 0
    assert ChordCounter.objects.count() == 1


def test_sessions_go_when_they_have_run_out():
    Session.objects.create(session_key="old", session_data="", expire_date=NOW - timedelta(seconds=1))
    Session.objects.create(session_key="new", session_data="", expire_date=NOW + timedelta(seconds=1))

    assert purges.purge_sessions(10, NOW) == 1
    assert list(Session.objects.values_list("session_key", flat=True)) == ["new"]


def test_an_old_report_goes_with_its_days_and_every_file_in_its_folder(make_report):
    storage = storages["reports"]
    old, new = make_report(), make_report(FEBRUARY, FEBRUARY)
    Report.objects.filter(pk=old.pk).update(created_at=NOW - purges.REPORTS_KEPT - timedelta(days=1))
    Report.objects.filter(pk=new.pk).update(created_at=NOW)
    ReportDay.objects.create(report=old, day=old.date_from, orders=0, items=0, amount=0)
    for name in ("published.csv", "left behind.csv"):
        storage.save(f"{old.public_id}/{name}", ContentFile(b"x"))
    storage.save(f"{new.public_id}/published.csv", ContentFile(b"x"))

    assert purges.purge_reports(10, NOW) == 1

    assert list(Report.objects.all()) == [new]
    assert ReportDay.objects.count() == 0
    assert storage.listdir("")[0] == [str(new.public_id)]


def test_a_report_whose_file_cannot_be_deleted_stays(make_report, monkeypatch):
    old = make_report()
    Report.objects.filter(pk=old.pk).update(created_at=NOW - purges.REPORTS_KEPT - timedelta(days=1))

    def away(_report):
        raise OSError("storage is away")

    monkeypatch.setattr(purges.files, "discard_all", away)

    with pytest.raises(OSError, match="storage is away"):
        purges.purge_reports(10, NOW)
    assert Report.objects.count() == 1
