"""A real beat: what an admin changes in the Django admin is followed without a restart."""

from collections.abc import Iterator
from http import HTTPStatus

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from django_celery_results.models import TaskResult

from tests.waiting import eventually
from tests.workers.processes import Process

# Seconds from the click to the first run at the new pace. Beat looks at least every 2 s and the new interval is 1 s;
# the rest is for a busy machine. Measured here: 1.3 to 3.8 s.
FOLLOWS_WITHIN = 8


@pytest.fixture
def hourly(transactional_db) -> PeriodicTask:
    """A schedule that would not run during this test."""
    hour = IntervalSchedule.objects.create(every=1, period="hours")
    return PeriodicTask.objects.create(name="Ticker", task="probes.echo", args='["tick"]', interval=hour)


@pytest.fixture
def beat(shop, hourly) -> Iterator[Process]:
    beat = shop.beat()
    eventually(lambda: beat.says("beat: Starting"))
    yield beat
    beat.kill()
    eventually(lambda: not shop.unfinished())


def submit(client, task: PeriodicTask, **changes) -> None:
    """Send the admin's form of a periodic task, as the browser would."""
    form = {
        "name": task.name,
        "regtask": task.task,
        "enabled": "on",
        "interval": task.interval_id,
        "args": task.args,
        "kwargs": "{}",
        "headers": "{}",
    }
    form = {name: value for name, value in (form | changes).items() if value is not None}
    response = client.post(f"/admin/django_celery_beat/periodictask/{task.pk}/change/", form)
    assert response.status_code == HTTPStatus.FOUND, response.context["errors"]


def wait_for_run(shop, runs: int) -> None:
    """Wait until the ticker has run more than ``runs`` times."""
    eventually(lambda: len(shop.runs("tick")) > runs, seconds=FOLLOWS_WITHIN, why="the beat did not follow")


def test_the_running_beat_follows_the_admins_edits(shop, beat, hourly, admin_client):
    before = len(shop.runs("tick"))
    second = IntervalSchedule.objects.create(every=1, period="seconds")

    submit(admin_client, hourly, interval=second.pk)
    wait_for_run(shop, before)

    submit(admin_client, hourly, interval=second.pk, enabled=None)
    eventually(lambda: PeriodicTask.objects.get(pk=hourly.pk).enabled is False)
    eventually(lambda: beat.log.read_text().count("Schedule changed") >= 2)
    paused = len(shop.runs("tick"))

    submit(admin_client, hourly, interval=second.pk)
    wait_for_run(shop, paused)
    row = eventually(TaskResult.objects.filter(status="SUCCESS").first)
    assert (row.periodic_task_name, row.task_name, row.worker) == ("Ticker", "probes.echo", "default@test")
    assert beat.popen.poll() is None


def test_the_interval_itself_can_be_edited(shop, beat, hourly, admin_client):
    before = len(shop.runs("tick"))
    address = f"/admin/django_celery_beat/intervalschedule/{hourly.interval_id}/change/"

    # The admin's page shows the tasks that use the interval in a formset: none of them is edited.
    formset = {"periodictask_set-TOTAL_FORMS": 0, "periodictask_set-INITIAL_FORMS": 0}
    response = admin_client.post(address, {"every": 1, "period": "seconds", **formset})

    assert response.status_code == HTTPStatus.FOUND
    wait_for_run(shop, before)
    assert beat.popen.poll() is None
