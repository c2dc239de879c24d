"""Beats in trouble: bad rows, a database or a dispatcher that fails."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from tests.jobs.timetable import HOUR, complaints, every, missed, slots_of

pytestmark = pytest.mark.django_db(transaction=True)

PROJECT = Path(__file__).parent.parent.parent


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
    PeriodicTask.objects.filter(pk=schedule.pk).update(last_run_at=timezone.now() - 2 * HOUR)
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
