"""Beats on a real database: several at once, killed, cut off, edited under their hands."""

import logging
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
from celery import current_app, shared_task
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask

from proj.jobs import firing, ledger, schedules
from proj.jobs.misfires import Misfire
from proj.jobs.models import Job, Overlap, SchedulePolicy, SkippedSlots, State
from proj.jobs.scheduler import LedgerScheduler

pytestmark = pytest.mark.django_db(transaction=True)

PROJECT = Path(__file__).parent.parent.parent
HOUR = timedelta(hours=1)


@shared_task(name="tests.scheduled", queue="default", schedulable=True, soft_time_limit=20, time_limit=30)
def scheduled(number: int = 0) -> int:
    """Stands for work that is scheduled."""
    return number


@pytest.fixture
def beat(waiting) -> Callable[[], LedgerScheduler]:
    """Return a function that starts a beat, with the broker empty."""
    return lambda: LedgerScheduler(current_app._get_current_object(), lazy=False)


def every(period: timedelta = HOUR, **fields: Any) -> PeriodicTask:
    """Create a schedule whose last slot was half a period ago."""
    unit = "seconds" if period >= timedelta(seconds=1) else "microseconds"
    interval, _ = IntervalSchedule.objects.get_or_create(every=period / timedelta(**{unit: 1}), period=unit)
    fields = {"last_run_at": timezone.now() - period / 2, "task": "tests.scheduled", **fields}
    return PeriodicTask.objects.create(name=f"Schedule {uuid4()}", interval=interval, **fields)


def missed(slots: int, policy: dict[str, Any] | None = None, **fields: Any) -> PeriodicTask:
    """Create an hourly schedule of which the last so many slots are due, the latest half an hour ago."""
    schedule = every(last_run_at=timezone.now() - slots * HOUR - HOUR / 2, **fields)
    if policy is not None:
        SchedulePolicy.objects.create(periodic_task=schedule, **policy)
    return schedule


def skipped(schedule: PeriodicTask) -> dict[str, int]:
    """Return how many slots were skipped, by reason."""
    return {row.reason: row.size for row in SkippedSlots.objects.filter(periodic_task=schedule)}


def slots_of(schedule: PeriodicTask) -> list[str]:
    """Return the slots whose jobs are in the ledger, in order."""
    jobs = Job.objects.filter(subject=schedules.subject(schedule.pk))
    return sorted(message["headers"]["slot"] for message in jobs.values_list("message", flat=True))


def end(job: Job) -> None:
    """Let a worker run a job."""
    claim = ledger.claim(job.pk, task=job.task, retries=0, worker="test", seconds=30)
    ledger.finish(claim, None)


# --- once -------------------------------------------------------------------------------------------------------------


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


# --- what was missed --------------------------------------------------------------------------------------------------


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


# --- overlaps ---------------------------------------------------------------------------------------------------------


def next_slot(schedule: PeriodicTask, scheduler: LedgerScheduler) -> None:
    """Let another slot of an hourly schedule become due."""
    schedule.refresh_from_db()
    PeriodicTask.objects.filter(pk=schedule.pk).update(last_run_at=schedule.last_run_at - HOUR)
    scheduler.tick()


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


# --- edits ------------------------------------------------------------------------------------------------------------


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


# --- trouble ----------------------------------------------------------------------------------------------------------


def said(caplog) -> list[str]:
    """Return what the scheduler has logged."""
    return [record.message for record in caplog.records if record.name == "proj.jobs.scheduler"]


def complaints(caplog) -> Counter[str]:
    """Count what the scheduler has logged by who it is about."""
    return Counter(message.split(":")[0] for message in said(caplog))


def bad_crontab() -> CrontabSchedule:
    return CrontabSchedule.objects.create(minute="0", hour="0", day_of_month="31", month_of_year="2")


@pytest.mark.parametrize(
    "fields",
    [
        lambda: {"args": "not JSON"},
        lambda: {"args": "[1, 2, 3]"},  # more than the task takes
        lambda: {"queue": "no such queue"},
        lambda: {"interval": None, "crontab": bad_crontab()},
    ],
    ids=["not JSON", "wrong arguments", "no such queue", "bad crontab"],
)
def test_a_bad_schedule_is_logged_once_and_the_others_go_on(beat, caplog, fields):
    bad, good = missed(1), missed(1)
    PeriodicTask.objects.filter(pk=bad.pk).update(**fields())
    scheduler = beat()

    for _ in range(3):
        scheduler.run_due()

    assert len(slots_of(good)) == 1
    assert slots_of(bad) == []
    assert complaints(caplog) == {f"schedule '{bad.name}'": 1}
    bad.refresh_from_db()
    assert bad.enabled


def test_a_bad_schedule_that_is_mended_runs_late(beat):
    schedule = missed(1, args="not JSON")
    scheduler = beat()
    scheduler.run_due()

    PeriodicTask.objects.filter(pk=schedule.pk).update(args="[1]")
    scheduler.run_due()

    assert len(slots_of(schedule)) == 1


@pytest.fixture
def server() -> Iterator[psycopg.Connection]:
    """A connection beside the test's, to another database of the same server."""
    address = urlunsplit(urlsplit(settings.DATABASE_URL)._replace(path="/postgres"))
    with psycopg.connect(address, autocommit=True) as connection:
        yield connection


def allow_connections(server: psycopg.Connection, *, allow: bool) -> None:
    """Let the test's database answer, or not, and end the connections it has."""
    name = connection.settings_dict["NAME"]
    server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {allow}')
    server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


def test_a_beat_whose_database_is_away_goes_on_and_catches_up(beat, server, caplog):
    schedule = missed(1)
    scheduler = beat()
    allow_connections(server, allow=False)
    try:
        for _ in range(3):
            scheduler._dispatched = 0
            assert scheduler.tick() <= 1
    finally:
        allow_connections(server, allow=True)
    assert complaints(caplog) == {"the dispatcher": 1, "the schedules": 1}

    scheduler._dispatched = 0
    scheduler.tick()

    assert len(slots_of(schedule)) == 1
    assert [message for message in caplog.messages if "well again" in message] == [
        "the dispatcher: all is well again",
        "the schedules: all is well again",
    ]


def test_a_connection_that_breaks_costs_a_tick(beat, server):
    schedule = every()
    scheduler = beat()
    scheduler.tick()
    allow_connections(server, allow=True)  # ends the connections

    scheduler.tick()
    save_row(schedule)
    scheduler.tick()

    assert len(slots_of(schedule)) == 1


def test_a_dispatcher_that_fails_does_not_stop_the_schedules_nor_they_it(beat, monkeypatch, caplog):
    schedule = missed(1)
    scheduler = beat()

    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(scheduler.dispatcher, "tick", fail)
    scheduler.tick()
    assert len(slots_of(schedule)) == 1

    ticks: list[int] = []
    monkeypatch.setattr(scheduler.dispatcher, "tick", lambda: ticks.append(1))
    monkeypatch.setattr(scheduler, "run_due", fail)
    for _ in range(3):
        scheduler._dispatched = 0
        scheduler.tick()

    assert len(ticks) == 3
    assert complaints(caplog) == {
        "the dispatcher": 2,  # it failed, and it is well again
        "the schedules": 1,
    }


# --- by hand ----------------------------------------------------------------------------------------------------------


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
