"""Who is there: beats and workers in the database. With real workers: tests/workers/test_pausing.py."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from proj.jobs import attendance, pausing, retention
from proj.jobs.audit import Actor
from proj.jobs.models import Worker
from tests.jobs.attendants import nobody

__all__ = ["nobody"]  # a fixture is found by its name here

pytestmark = pytest.mark.django_db

ABOUT = {"queues": ["io"], "takes": ["io"], "pool": "threads", "size": 8}


def test_telling_again_moves_only_when_it_was_seen(nobody):
    attendance.tell("w@host", **ABOUT)
    first = Worker.objects.get()
    attendance.tell("w@host", **ABOUT | {"takes": []})

    again = Worker.objects.get()
    assert (again.started_at, again.takes) == (first.started_at, [])
    assert again.seen_at > first.seen_at


def test_another_process_of_that_name_has_started_anew(monkeypatch, nobody):
    attendance.tell("w@host", **ABOUT)
    first = Worker.objects.get()
    monkeypatch.setattr(attendance.os, "getpid", lambda: 1)
    attendance.tell("w@host", **ABOUT)

    assert Worker.objects.get().started_at > first.started_at


def test_who_tells_hears_what_is_paused():
    assert attendance.tell("w@host", **ABOUT) == frozenset()

    pausing.pause("io", by=Actor("ann", None, "admin"), reason="x")

    assert attendance.tell("w@host", **ABOUT) == {"io"}


def test_a_process_that_ends_takes_away_its_own_row_only(monkeypatch, nobody):
    attendance.tell("w@host", **ABOUT)
    monkeypatch.setattr(attendance.os, "getpid", lambda: 1)
    attendance.leave("w@host")
    assert Worker.objects.count() == 1

    monkeypatch.undo()
    attendance.leave("w@host")
    assert Worker.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_beat_tells_that_it_is_there_and_that_it_ends(beat):
    scheduler = beat()
    scheduler.tick()

    row = Worker.objects.get(hostname=scheduler.hostname)
    assert (row.pool, row.queues) == ("beat", [])

    scheduler.close()
    assert not Worker.objects.filter(hostname=scheduler.hostname).exists()


def test_workers_that_were_killed_long_ago_go_with_the_nightly_clean_up(nobody):
    attendance.tell("there@host", **ABOUT)
    attendance.tell("gone@host", **ABOUT)
    Worker.objects.filter(hostname="gone@host").update(seen_at=timezone.now() - timedelta(days=2))

    assert retention.registered()["workers that are gone"](10, timezone.now()) == 1
    assert Worker.objects.get().hostname == "there@host"


class Consumer:
    """What a worker's consumer has of what the step uses."""

    hostname = "w@host"

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.app = self.amqp = self
        self.queues = self
        self.consume_from = {"io": None, "bulk": None}
        self.controller = type("Controller", (), {"pool_cls": dict, "concurrency": 2})

    def deselect(self, queue):
        self.consume_from.pop(queue)

    def cancel_task_queue(self, queue):
        self.told.append(("cancel", queue))

    def add_task_queue(self, queue):
        self.told.append(("add", queue))


def test_a_worker_whose_database_is_away_starts_and_goes_on_with_what_it_knew(monkeypatch):
    pausing.pause("io", by=Actor("ann", None, "admin"), reason="x")
    consumer = Consumer()
    monkeypatch.setattr(attendance.connections, "close_all", lambda: None)  # the test's own
    step = attendance.Attendance(consumer)
    assert list(consumer.consume_from) == ["bulk"]

    def away(*_, **__):
        raise OperationalError("no route to host")

    monkeypatch.setattr(attendance, "tell", away)
    step.look()
    step.heed()
    assert (step.heard, consumer.told) == ({"io"}, [])

    fresh = attendance.Attendance(Consumer())
    assert fresh.heard == frozenset()


def test_only_what_was_let_go_of_is_taken_up_again(monkeypatch):
    """What somebody has told the worker to cancel, with Celery's own command, stays cancelled."""
    consumer = Consumer()
    monkeypatch.setattr(attendance.connections, "close_all", lambda: None)
    step = attendance.Attendance(consumer)
    pausing.pause("io", by=Actor("ann", None, "admin"), reason="x")
    pausing.pause("critical", by=Actor("ann", None, "admin"), reason="x")
    step.look()
    step.heed()
    step.heed()
    pausing.resume("io", by=Actor("ann", None, "admin"))
    step.look()
    step.heed()

    assert consumer.told == [("cancel", "io"), ("add", "io")]
