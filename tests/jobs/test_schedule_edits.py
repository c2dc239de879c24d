"""Schedules that are edited under the hands of a beat, and run by hand."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from celery import current_app
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from proj.jobs import firing, retention, schedules
from proj.jobs.misfires import Misfire
from proj.jobs.models import Job, SkippedSlots
from tests.jobs.timetable import HOUR, every, missed, said, skipped, slots_of

pytestmark = pytest.mark.django_db(transaction=True)

PROJECT = Path(__file__).parent.parent.parent


def test_an_idle_look_is_one_query_and_writes_nothing(beat):
    every()
    scheduler = beat()
    scheduler.run_due()

    with CaptureQueriesContext(connection) as queries:
        scheduler.run_due()

    assert len(queries) == 1


def save_row(schedule: PeriodicTask) -> None:
    schedule.last_run_at = timezone.now() - 2 * HOUR
    schedule.save()


def interval_by_hand(schedule: PeriodicTask) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_celery_beat_intervalschedule SET every = 1")


EDITS: dict[str, Callable[[PeriodicTask], object]] = {
    "saved": save_row,
    "updated": lambda schedule: PeriodicTask.objects.update(last_run_at=timezone.now() - 2 * HOUR),
    "bulk": lambda schedule: PeriodicTask.objects.bulk_update(
        [PeriodicTask(pk=schedule.pk, start_time=None, last_run_at=timezone.now() - 2 * HOUR)],
        ["start_time", "last_run_at"],
    ),
    "its interval": interval_by_hand,
    "created": lambda schedule: missed(1),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_works_at_the_next_tick_however_it_was_made(beat, edit):
    schedule = every()
    scheduler = beat()
    scheduler.run_due()
    assert Job.objects.count() == 0

    EDITS[edit](schedule)
    scheduler.run_due()

    assert Job.objects.count() >= 1


@pytest.mark.parametrize(
    "edit",
    [
        lambda rows: rows.update(enabled=False),
        lambda rows: rows.update(expires=timezone.now() - 3 * HOUR),
        lambda rows: rows.update(start_time=timezone.now() + HOUR),
        lambda rows: rows.delete(),
    ],
    ids=["disabled", "expired", "starts later", "deleted"],
)
@pytest.mark.parametrize("guard", ["on", "off"])
def test_what_counts_is_the_row_as_it_is_when_the_slot_is_decided(beat, monkeypatch, edit, guard):
    schedule = missed(1)
    stale = PeriodicTask.objects.select_related("interval").get(pk=schedule.pk)
    now = timezone.now()
    edit(PeriodicTask.objects.filter(pk=schedule.pk))

    if guard == "on":
        firing.fire(current_app, schedule.pk, now)
    else:  # what a beat would do that trusts its memory
        firing.Firing(current_app, stale, now).decide()

    assert Job.objects.count() == (0 if guard == "on" else 1)


def test_an_edit_is_never_overwritten(beat):
    schedule = missed(1)
    scheduler = beat()
    scheduler._read()
    PeriodicTask.objects.filter(pk=schedule.pk).update(args="[7]", description="edited", queue="bulk")

    scheduler.tick()

    schedule.refresh_from_db()
    assert (schedule.args, schedule.description, schedule.queue) == ("[7]", "edited", "bulk")
    assert Job.objects.get().message["body"].startswith("[[7]")


def test_a_row_that_somebody_has_in_hand_is_left_for_the_next_tick_and_the_others_run(beat):
    in_hand, other = missed(1), missed(1)
    scheduler = beat()
    held, release = threading.Event(), threading.Event()

    def edit() -> None:
        with transaction.atomic():
            row = PeriodicTask.objects.select_for_update().get(pk=in_hand.pk)
            held.set()
            release.wait(30)
            row.enabled = False
            row.save()
        connection.close()

    editor = threading.Thread(target=edit)
    editor.start()
    held.wait(30)
    scheduler.run_due()
    assert (slots_of(in_hand), len(slots_of(other))) == ([], 1)

    release.set()
    editor.join(30)
    scheduler.run_due()

    assert slots_of(in_hand) == []
    in_hand.refresh_from_db()
    assert not in_hand.enabled


def test_only_an_edit_is_logged_as_a_change(beat, caplog):
    caplog.set_level(logging.INFO, "proj.jobs.scheduler")
    schedule = missed(1)
    scheduler = beat()
    scheduler.run_due()
    scheduler.run_due()
    assert said(caplog) == []

    PeriodicTask.objects.filter(pk=schedule.pk).update(queue="bulk")
    scheduler.run_due()

    assert said(caplog) == [f"Schedule changed: {schedule.name}"]


def test_a_beat_refuses_schedules_that_it_would_not_read(beat, settings):
    app = current_app._get_current_object()
    app.conf.beat_schedule = {"a": {"task": "tests.scheduled", "schedule": 1}}
    try:
        with pytest.raises(ImproperlyConfigured, match="CELERY_BEAT_SCHEDULE is not read"):
            beat()
    finally:
        app.conf.beat_schedule = {}


def test_run_now_adds_a_run_once_for_each_request_and_leaves_the_slots_alone(beat):
    schedule = every(args="[5]")
    request = uuid4()

    ids = {schedules.run_now(schedule, request) for _ in range(2)}

    job = Job.objects.get()
    assert ids == {job.pk}
    assert (job.subject, job.message["headers"]["slot"]) == (f"schedule:{schedule.pk}", None)
    before = schedule.last_run_at
    schedule.refresh_from_db()
    assert (schedule.last_run_at, schedule.total_run_count) == (before, 0)


def test_a_schedule_that_starts_anew_forgets_what_was_due_before(beat):
    schedule = missed(3, {"misfire": Misfire.ALL, "waiting_slot": timezone.now() - HOUR})

    schedules.start_anew([schedule.pk])
    beat().tick()

    assert slots_of(schedule) == []
    assert skipped(schedule) == {"restarted": 1}


def test_a_task_knows_its_schedule_and_its_slot(beat, worker, bound):
    seen = []
    task = bound(lambda self: seen.append((self.request.get("periodic_task_name"), self.request.get("slot"))))
    schedule = missed(1, task=task.name)
    slot = schedule.last_run_at + HOUR

    beat().run_due()
    worker.work()

    assert seen == [(schedule.name, slot.isoformat())]


def test_records_of_skipped_slots_are_kept_for_a_while():
    schedule, now = every(), timezone.now()
    for days in (100, 95, 1):
        slot = now - timedelta(days=days)
        SkippedSlots.objects.create(periodic_task=schedule, reason="missed", first=slot, last=slot, size=1)
    purge = retention.registered()["skipped slots"]

    assert [purge(1, now), purge(10, now), purge(10, now)] == [1, 1, 0]
    assert SkippedSlots.objects.count() == 1
