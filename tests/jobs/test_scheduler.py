"""Beats on a real database: several at once, killed, cut off."""

import os
import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection
from django_celery_beat.models import PeriodicTask

from proj.jobs import firing, schedules
from proj.jobs.misfires import Misfire
from proj.jobs.models import Job
from proj.jobs.scheduler import LedgerScheduler
from tests.jobs.timetable import HOUR, every, missed, skipped, slots_of

pytestmark = pytest.mark.django_db(transaction=True)

PROJECT = Path(__file__).parent.parent.parent


def test_a_due_slot_becomes_a_job_under_the_slots_id(beat, waiting):
    schedule = missed(1, args="[3]", queue="bulk", priority=9, expire_seconds=600)
    slot = schedule.last_run_at + HOUR

    beat().tick()

    job = Job.objects.get()
    assert job.pk == schedules.job_id(schedule.pk, slot)
    assert (job.task, job.queue, job.priority, job.subject) == (
        "tests.scheduled",
        "bulk",
        9,
        f"schedule:{schedule.pk}",
    )
    headers = job.message["headers"]
    assert (headers["periodic_task_name"], headers["slot"]) == (schedule.name, slot.isoformat())
    assert headers["expires"] is not None
    assert waiting("bulk") == 1
    schedule.refresh_from_db()
    assert (schedule.last_run_at, schedule.total_run_count) == (slot, 1)


def test_a_beat_that_is_late_does_not_drift(beat):
    schedule = missed(3, {"misfire": Misfire.ALL})
    grid = [schedule.last_run_at + step * HOUR for step in (1, 2, 3)]

    beat().tick()

    assert slots_of(schedule) == [slot.isoformat() for slot in grid]
    schedule.refresh_from_db()
    assert schedule.last_run_at == grid[-1]


def tick_for(seconds: float, scheduler: LedgerScheduler) -> None:
    """Run a beat's loop."""
    over = threading.Event()
    timer = threading.Timer(seconds, over.set)
    timer.start()
    while not over.is_set():
        over.wait(scheduler.tick())
    connection.close()


def test_three_beats_at_once_enqueue_each_slot_once(beat):
    tenth = timedelta(milliseconds=100)
    made = [every(tenth, last_run_at=None), every(2 * tenth, last_run_at=None)]
    threads = [threading.Thread(target=tick_for, args=(4, beat())) for _ in range(3)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    for schedule in made:
        decided = PeriodicTask.objects.get(pk=schedule.pk)
        period = timedelta(microseconds=schedule.interval.every)
        grid = (decided.last_run_at - schedule.date_changed) // period
        runs = Counter(slots_of(schedule))
        assert max(runs.values()) == 1
        assert len(runs) + sum(skipped(schedule).values()) == grid
        assert decided.total_run_count == len(runs) > 3 / period.total_seconds()


@pytest.mark.parametrize(("guard", "runs"), [("on", 1), ("off", 2)])
def test_a_slot_is_enqueued_once_even_if_somebody_puts_the_last_run_back(beat, monkeypatch, guard, runs):
    if guard == "off":
        monkeypatch.setattr(firing, "job_id", lambda *_: str(uuid4()))
    schedule = missed(1)
    beat().tick()

    PeriodicTask.objects.filter(pk=schedule.pk).update(last_run_at=schedule.last_run_at)
    beat().tick()

    assert Job.objects.count() == runs


@pytest.fixture
def process_environment() -> dict[str, str]:
    """Return the environment of a process that works on the test's database."""
    database = urlsplit(settings.DATABASE_URL)._replace(path=f"/{connection.settings_dict['NAME']}")
    return os.environ | {"DATABASE_URL": urlunsplit(database), "VAR_DIR": str(settings.VAR_DIR)}


def run_beat_until(failpoint: str, environment: dict[str, str]) -> int:
    """Let a beat in a process of its own tick once, and be killed on the way; return how it ended."""
    command = [sys.executable, "-m", "tests.jobs.dying_beat", failpoint]
    return subprocess.run(command, cwd=PROJECT, env=environment, timeout=60, check=False).returncode


@pytest.mark.parametrize(
    ("failpoint", "recorded"), [("slot", 0), ("slot_enqueued", 0), ("recorded", 0), ("publish", 1)]
)
def test_a_beat_that_is_killed_leaves_the_slot_undone_or_done(
    beat, waiting, process_environment, failpoint, recorded
):
    schedule = missed(1)

    assert run_beat_until(failpoint, process_environment) == -9
    assert Job.objects.count() == recorded
    assert waiting("default") == 0

    other = beat()
    other.tick()
    for _ in range(2 * recorded):  # a message that was lost is missed at the second look
        other.dispatcher.tick()
    assert len(slots_of(schedule)) == 1
    assert waiting("default") == 1
