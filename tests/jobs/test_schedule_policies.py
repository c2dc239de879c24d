"""What is missed and what overlaps: exact numbers for each policy."""

from datetime import timedelta
from pathlib import Path

import pytest
from celery import current_app
from django.utils import timezone
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, PeriodicTask

from proj.jobs import firing
from proj.jobs.misfires import Misfire
from proj.jobs.models import Job, Overlap, SchedulePolicy, State
from tests.jobs.timetable import HOUR, end, every, missed, skipped, slots_of

pytestmark = pytest.mark.django_db(transaction=True)

PROJECT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("misfire", "slots", "runs"),
    [
        (misfire, slots, runs)
        for misfire, counts in {
            Misfire.SKIP: (0, 0, 0),
            Misfire.LATEST: (1, 1, 1),
            Misfire.ALL: (1, 3, 10),
        }.items()
        for slots, runs in zip((1, 3, 30), counts, strict=True)
    ],
)
def test_a_beat_that_was_away_makes_up_for_what_the_policy_says(beat, misfire, slots, runs):
    schedule = missed(slots, {"misfire": misfire, "catch_up": 10})
    latest = schedule.last_run_at + slots * HOUR

    beat().tick()
    beat().tick()

    assert len(slots_of(schedule)) == runs
    assert skipped(schedule) == ({"missed": slots - runs} if slots > runs else {})
    schedule.refresh_from_db()
    assert (schedule.last_run_at, schedule.total_run_count) == (latest, runs)


def test_a_missed_daily_job_runs_late_and_not_early(beat):
    """Beat comes back five hours after the time: django-celery-beat would not even load the schedule."""
    now = timezone.now()
    time_of_day = now - timedelta(hours=5)
    crontab = CrontabSchedule.objects.create(minute=time_of_day.minute, hour=time_of_day.hour, timezone="UTC")
    missed_slot = time_of_day.replace(second=0, microsecond=0)
    schedule = PeriodicTask.objects.create(
        name="Daily",
        task="tests.scheduled",
        crontab=crontab,
        last_run_at=missed_slot - timedelta(days=1),
    )

    scheduler = beat()
    scheduler.tick()

    assert slots_of(schedule) == [missed_slot.isoformat()]
    assert scheduler.entries[schedule.pk].due == missed_slot + timedelta(days=1)


def test_a_clocked_schedule_runs_once_and_is_disabled(beat):
    clocked = ClockedSchedule.objects.create(clocked_time=timezone.now() - HOUR)
    schedule = PeriodicTask.objects.create(name="Once", task="tests.scheduled", clocked=clocked, one_off=True)

    beat().tick()
    beat().tick()

    assert slots_of(schedule) == [clocked.clocked_time.isoformat()]
    schedule.refresh_from_db()
    assert not schedule.enabled


def test_a_schedule_that_runs_once_runs_once_however_much_was_missed(beat):
    schedule = missed(3, {"misfire": Misfire.ALL}, one_off=True)

    beat().tick()
    beat().tick()

    assert len(slots_of(schedule)) == 1
    assert skipped(schedule) == {"missed": 2}
    schedule.refresh_from_db()
    assert not schedule.enabled


def test_nothing_runs_after_the_schedule_has_expired(beat):
    schedule = missed(3, {"misfire": Misfire.ALL}, expires=timezone.now() - HOUR)

    beat().tick()

    assert slots_of(schedule) == []
    assert skipped(schedule) == {"expired": 2}
    schedule.refresh_from_db()
    assert not schedule.enabled


def test_nothing_runs_before_the_schedule_starts(beat):
    start = timezone.now() + HOUR
    schedule = missed(3, start_time=start)
    scheduler = beat()

    scheduler.tick()

    assert slots_of(schedule) == []
    assert scheduler.entries[schedule.pk].due == start


@pytest.mark.parametrize(
    ("overlap", "after_each_tick"),
    # Jobs in the ledger: after each of four slots, and when the first run has ended and beat has looked again.
    [(Overlap.ALLOW, [1, 2, 3, 4, 3]), (Overlap.SKIP, [1, 1, 1, 1, 0]), (Overlap.QUEUE, [1, 1, 1, 1, 1])],
)
def test_a_slot_while_the_run_before_it_has_not_ended_is_treated_by_policy(beat, overlap, after_each_tick):
    second = timedelta(seconds=1)
    schedule = every(second, last_run_at=timezone.now() - second)
    SchedulePolicy.objects.create(periodic_task=schedule, overlap=overlap)
    counts = []
    for step in range(4):
        row = PeriodicTask.objects.get(pk=schedule.pk)
        assert row.last_run_at == schedule.last_run_at + step * second
        firing.fire(current_app, schedule.pk, row.last_run_at + second)
        counts.append(Job.objects.count())
    first = Job.objects.order_by("created_at").first()

    end(first)
    firing.fire(current_app, schedule.pk, row.last_run_at + second)
    counts.append(Job.objects.count())

    assert counts == after_each_tick
    grid = [schedule.last_run_at + step * second for step in range(1, 5)]
    assert (
        skipped(schedule)
        == {
            Overlap.ALLOW: {},
            Overlap.SKIP: {"overlap": 3},  # in one row
            Overlap.QUEUE: {"overlap": 2},
        }[overlap]
    )
    if overlap == Overlap.QUEUE:
        assert slots_of(schedule) == [grid[1].isoformat()]
        assert SchedulePolicy.objects.get().waiting_slot is None


def test_a_run_that_is_dead_does_not_keep_others_from_running(beat):
    schedule = missed(1, {"overlap": Overlap.SKIP})
    beat().tick()
    Job.objects.update(state=State.DEAD)

    PeriodicTask.objects.filter(pk=schedule.pk).update(last_run_at=timezone.now() - 1.5 * HOUR)
    beat().tick()

    assert Job.objects.count() == 2


def test_catching_up_does_not_overlap_either(beat):
    schedule = missed(5, {"misfire": Misfire.ALL, "overlap": Overlap.SKIP})

    beat().tick()

    assert len(slots_of(schedule)) == 1
    assert skipped(schedule) == {"overlap": 4}
