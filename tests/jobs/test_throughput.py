import re
from datetime import timedelta

import pytest
from django.utils import timezone
from django_celery_results.models import TaskResult

from proj.jobs import retention, throughput
from proj.jobs.ledger.statements import run
from proj.jobs.models import QueueMinute
from proj.jobs.testing import drain, without_broker
from tests.jobs.probes import add, refuse

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _without_broker():
    with without_broker():
        yield


@pytest.fixture(autouse=True)
def _nothing_was_added_up(db):
    """A beat of other tests, which ends after the last of them, may have added something up for good."""
    QueueMinute.objects.all().delete()
    TaskResult.objects.all().delete()


def rows():
    return list(QueueMinute.objects.order_by("minute", "queue").values_list("queue", "succeeded", "failed"))


def moved(result, **by):
    TaskResult.objects.filter(task_id=result.id).update(date_done=timezone.now() - timedelta(**by))


def test_what_ended_is_added_up_by_minute_and_queue():
    for number in range(3):
        add.delay(number)
    add.apply_async((1,), queue="bulk")
    refuse.delay(1)
    drain()
    TaskResult.objects.update(date_done=timezone.now() - timedelta(seconds=1))

    throughput.add_up()

    assert sorted(rows()) == [("bulk", 1, 0), ("default", 3, 1)]


def test_adding_up_again_changes_nothing_and_what_ended_since_is_added():
    TaskResult.objects.all().delete()
    add.delay(1)
    drain()
    TaskResult.objects.update(date_done=timezone.now().replace(second=0, microsecond=0))
    throughput.add_up()
    throughput.add_up()
    assert rows() == [("default", 1, 0)]

    add.delay(2)
    drain()
    TaskResult.objects.update(date_done=timezone.now().replace(second=0, microsecond=0))
    throughput.add_up()

    assert sum(succeeded for _, succeeded, _ in rows()) >= 1
    assert (
        QueueMinute.objects.latest("minute").succeeded
        == TaskResult.objects.filter(date_done__gte=QueueMinute.objects.latest("minute").minute).count()
    )


def test_minutes_that_no_beat_saw_are_made_up_for_up_to_an_hour():
    jobs = [add.delay(number) for number in range(3)]
    drain()
    for job, minutes in zip(jobs, (20, 50, 90), strict=True):
        moved(job, minutes=minutes)
    QueueMinute.objects.create(
        minute=timezone.now() - timedelta(hours=3), queue="default", succeeded=1, failed=0
    )

    throughput.add_up()

    assert rows() == [("default", 1, 0)] * 3


def test_the_results_are_found_by_their_index():
    run(
        "INSERT INTO django_celery_results_taskresult (task_id, status, content_type, content_encoding, date_created, date_done)"
        " SELECT n::text, 'SUCCESS', '', '', now(), now() - n * interval '1 second' FROM generate_series(1, 20000) AS n"
    )
    run("ANALYZE django_celery_results_taskresult")
    throughput.add_up()
    plan = "\n".join(row[0] for row in run(f"EXPLAIN {throughput._ADD_UP}", [throughput.MOST]))

    assert "Seq Scan on django_celery_results" not in plan
    assert re.search(r"Index Cond: .*date_done", plan)


def test_what_has_no_queue_is_left_out():
    TaskResult.objects.create(task_id="plain", status="SUCCESS", meta='{"children": []}')
    TaskResult.objects.create(task_id="odd", status="SUCCESS", meta="no JSON at all")
    TaskResult.objects.create(task_id="none", status="FAILURE", meta=None)

    throughput.add_up()

    assert rows() == []


def test_what_is_too_old_for_any_curve_goes_with_the_nightly_clean_up():
    now = timezone.now()
    for days in (6, 8, 9):
        QueueMinute.objects.create(minute=now - timedelta(days=days), queue="io", succeeded=1, failed=0)

    assert retention.registered()["throughput"](1, now) == 1
    assert retention.registered()["throughput"](10, now) == 1
    assert QueueMinute.objects.count() == 1
