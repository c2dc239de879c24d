import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from kombu.exceptions import OperationalError

from proj.jobs.models import AuditEntry, PausedQueue
from tests.jobs.broker import owe
from tests.jobs.probes import add

pytestmark = pytest.mark.django_db(transaction=True)


def queues(*words: str) -> list[str]:
    out = StringIO()
    call_command("queues", *words, stdout=out)
    return out.getvalue().splitlines()


def test_a_queue_is_paused_and_resumed_with_who_and_why(monkeypatch):
    monkeypatch.setattr("proj.jobs.audit.getpass.getuser", lambda: "root")

    assert queues("pause", "bulk", "--reason", "a bad import") == ["bulk is paused"]
    assert PausedQueue.objects.get().by == "root"
    assert queues("resume", "bulk", "--json") == ['{"queue": "bulk", "resumed": true}']
    assert list(AuditEntry.objects.order_by("pk").values_list("action", "origin", "reason")) == [
        ("queue.pause", "command line", "a bad import"),
        ("queue.resume", "command line", ""),
    ]


def test_what_is_so_already_is_told_by_the_exit_code():
    queues("pause", "bulk", "--reason", "x")

    with pytest.raises(SystemExit, match="1"):
        queues("pause", "bulk", "--reason", "y")
    queues("resume", "bulk")
    with pytest.raises(SystemExit, match="1"):
        queues("resume", "bulk")


def test_a_queue_that_there_is_not_is_not_paused():
    with pytest.raises(
        CommandError, match=r"There are bulk, compute, critical, default, hooks, io\."
    ) as refused:
        queues("pause", "bulky", "--reason", "x")

    assert refused.value.returncode == 2
    assert not PausedQueue.objects.exists()


def test_a_queue_that_left_the_settings_can_be_resumed():
    PausedQueue.objects.create(queue="old", by="ann", reason="x")

    assert any(line.startswith("old") for line in queues("list"))
    assert queues("resume", "old") == ["old is resumed"]


def test_the_list_says_what_the_broker_holds_and_who_has_paused_what(waiting):
    owe(3)
    queues("pause", "bulk", "--reason", "a bad import")

    lines = {line.split()[0]: line for line in queues("list")}
    assert lines["default"].split() == ["default", "3"]
    assert "paused by" in lines["bulk"]
    assert lines["bulk"].endswith("UTC: a bad import")
    rows = {row["queue"]: row for row in map(json.loads, queues("list", "--json"))}
    assert (rows["default"]["messages"], rows["bulk"]["paused"]) == (3, True)


def test_a_peek_shows_what_is_next_and_takes_nothing(waiting):
    jobs = [add.apply_async((number,), priority=priority).id for number, priority in enumerate([9, 0, 5, 0])]

    peeked = [json.loads(line) for line in queues("peek", "default", "--json")]

    assert [held["id"] for held in peeked] == [jobs[1], jobs[3], jobs[2], jobs[0]]
    assert [held["step"] for held in peeked] == [0, 0, 3, 9]
    assert peeked[0]["arguments"] == "(1,) {}"
    assert [line.split()[0] for line in queues("peek", "default", "--limit", "3")] == [
        jobs[1],
        jobs[3],
        jobs[2],
    ]
    assert queues("peek", "default", "--limit", "0") == []
    assert waiting("default") == 4


def test_a_broker_that_is_away_is_said(monkeypatch):
    def away(*_):
        raise OperationalError("refused")

    monkeypatch.setattr("proj.jobs.broker.Broker.count", away)
    with pytest.raises(CommandError, match="The broker does not answer: refused"):
        queues("list")
