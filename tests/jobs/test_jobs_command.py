import json
from datetime import timedelta
from io import StringIO

import pytest
from celery.app.control import Control
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from kombu.exceptions import OperationalError

from proj.jobs import facts, ledger, selecting
from proj.jobs.models import Job, State
from proj.jobs.testing import drain, without_broker
from tests.jobs.probes import add, busy, refuse

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _without_broker(monkeypatch):
    """Nobody hears the bell, and everybody works on the default queue."""
    monkeypatch.setattr(facts, "_ask_workers", lambda: (True, frozenset({"default"})))
    with without_broker():
        yield


class Terminal(StringIO):
    def isatty(self):
        return True


def jobs(*arguments, code=0, stderr=None):
    """Run the command; return what it wrote to stdout and to stderr."""
    out, err = StringIO(), stderr or StringIO()
    ended = 0
    try:
        call_command("jobs", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        err.write(str(error))
        ended = error.returncode
    except SystemExit as end:
        ended = end.code
    assert ended == code, (out.getvalue(), err.getvalue())
    return out.getvalue(), err.getvalue()


def listed(*arguments):
    return [json.loads(line) for line in jobs("list", "--json", *arguments)[0].splitlines()]


def claimed(task, *args):
    job = task.delay(*args)
    ledger.claim(job.id, task=task.name, retries=0, worker="w1@test", seconds=10)
    return job


def dead(order_id=1):
    job = refuse.delay(order_id)
    drain()
    return job


def test_jobs_are_listed_newest_first():
    first, second = add.delay(1), refuse.delay(42)

    out, err = jobs("list")

    heading, *lines = out.splitlines()
    assert heading.split() == ["ID", "TASK", "STATE", "QUEUE", "SUBJECT", "ATTEMPT", "AGE", "ERROR"]
    assert [line.split() for line in lines] == [
        [second.id, "jobprobes.refuse", "queued", "default", "order:42", "0", "0s"],
        [first.id, "jobprobes.add", "queued", "default", "0", "0s"],
    ]
    assert err == ""


def test_a_list_of_nothing_is_empty():
    assert jobs("list") == ("", "")


def test_the_list_is_narrowed_by_every_filter():
    failed = dead(42)
    waiting, other = add.delay(1), busy.delay()
    later = add.apply_async((1,), countdown=600, queue="bulk")
    running = claimed(add, 2)

    def ids(*arguments):
        return [job["id"] for job in listed(*arguments)]

    assert ids("--state", "queued", "--task", "jobprobes.add") == [waiting.id]
    assert ids("--state", "scheduled") == ids("--queue", "bulk") == [later.id]
    assert (
        ids("--state", "dead") == ids("--subject", "order:42") == ids("--error", "IS REFUSED") == [failed.id]
    )
    assert ids("--state", "running") == [running.id]
    assert ids("--task", "jobprobes.re*") == [failed.id]
    assert ids("--task", "jobprobes.re") == []
    assert ids("--task", "jobprobes.busy") == [other.id]
    assert len(ids("--task", "jobprobes.*")) == 5
    assert len(ids("--limit", "2")) == 2
    assert ids("--limit", "0") == []


def test_a_job_that_waits_for_its_next_try_is_retrying():
    busy.delay()
    drain()

    [job] = listed("--state", "retrying")

    assert (job["state"], job["error"], job["attempt"]) == (
        "retrying",
        "Transient: the provider is busy",
        1,
    )
    assert listed("--state", "queued") == listed("--state", "scheduled") == []


def test_everything_about_a_job_is_shown():
    job = dead(42)

    shown = json.loads(jobs("show", job.id, "--json")[0])

    assert {name: shown[name] for name in ("id", "task", "state", "args", "kwargs", "error", "subject")} == {
        "id": job.id,
        "task": "jobprobes.refuse",
        "state": "dead",
        "args": [42],
        "kwargs": {},
        "error": "Permanent: order 42 is refused",
        "subject": "order:42",
    }
    assert (shown["attempt"], shown["queue"], shown["losses"]) == (1, "default", 0)
    assert shown["why"].startswith("It is dead after 1 attempt: Permanent: order 42 is refused")
    assert "raise Permanent" in shown["traceback"]


def test_people_read_a_job_line_by_line():
    job = dead(42)

    lines = jobs("show", job.id)[0].splitlines()

    assert lines[0].split() == ["id", job.id]
    assert ["args", "[42]"] in [line.split() for line in lines]
    assert not any(line.startswith("cancel_requested") for line in lines)


def test_a_job_that_has_ended_is_shown_from_its_result():
    job = refuse.delay(1) and add.delay(1, y=2)
    drain()

    shown = json.loads(jobs("show", job.id, "--json")[0])

    assert (shown["state"], shown["result"], shown["attempt"], shown["queue"]) == (
        "succeeded",
        3,
        1,
        "default",
    )
    assert (shown["args"], shown["kwargs"]) == ("(1,)", "{'y': 2}")
    assert shown["why"].startswith("It has ended: succeeded")


def test_a_job_that_nobody_knows_is_not_shown():
    assert jobs("show", "unknown", code=1) == ("", "Nobody has heard of a job unknown.")


def test_why_answers_in_a_sentence_or_in_json():
    job = add.apply_async((1,), countdown=600)

    assert jobs("why", job.id)[0].startswith("It waits for its time: ")
    assert json.loads(jobs("why", job.id, "--json")[0])["code"] == "scheduled"


def test_why_fails_for_a_job_that_nobody_knows():
    assert jobs("why", "unknown", code=1)[0].startswith("Nobody has heard of it")


def test_a_dead_job_is_retried():
    job = dead()

    assert jobs("retry", job.id) == ("1 job retried\n", "")
    assert job.state == "QUEUED"


def test_only_dead_jobs_are_retried():
    waiting, failed = add.delay(1), dead()

    out, err = jobs("retry", waiting.id, failed.id, "unknown", "--json", code=1)

    assert json.loads(out) == {"retried": 1, "chosen": 1}
    assert f"{waiting.id}: It is rung for" in err or f"{waiting.id}: It has ended" in err
    assert "unknown: Nobody has heard of it" in err


def test_more_than_one_wants_to_be_confirmed():
    dead(1), dead(2)

    assert jobs("retry", "--task", "jobprobes.*", code=2) == (
        "",
        "That is 2 jobs: add --yes, or look with --dry-run.",
    )
    assert set(Job.objects.values_list("state", flat=True)) == {State.DEAD}

    assert jobs("retry", "--task", "jobprobes.*", "--yes") == ("2 jobs retried\n", "")
    assert set(Job.objects.values_list("state", flat=True)) == {State.QUEUED}


def test_a_dry_run_counts_and_shows_some_and_changes_nothing():
    for number in range(12):
        dead(number)

    out, err = jobs("retry", "--error", "refused", "--dry-run")

    assert err == "12 jobs, of which some are:\n"
    assert len(out.splitlines()) == 11
    assert set(Job.objects.values_list("state", flat=True)) == {State.DEAD}


def test_all_of_them_is_never_meant_by_saying_nothing():
    dead()

    assert jobs("retry", code=2) == ("", "Say which: their ids, or filters.")
    assert jobs("cancel", "--yes", code=2)[0] == ""
    assert Job.objects.get().state == State.DEAD


def test_a_job_is_retried_with_other_arguments():
    job = dead()

    jobs("retry", job.id, "--args", "[7]")

    assert drain()[0].args == [7]


@pytest.mark.parametrize("arguments", [["--args", "{}"], ["--kwargs", "[]"], ["--args", "[1, 2]"]])
def test_arguments_that_make_no_sense_change_nothing(arguments):
    job = dead()

    jobs("retry", job.id, *arguments, code=2)

    assert Job.objects.get().state == State.DEAD


def test_other_arguments_are_for_one_job():
    dead(1), dead(2)

    jobs("retry", "--state", "dead", "--args", "[7]", "--yes", code=2)

    assert set(Job.objects.values_list("state", flat=True)) == {State.DEAD}


def test_cancelling_says_for_each_what_became_of_it():
    waiting, running = add.delay(1), claimed(add, 2)

    out, _ = jobs("cancel", waiting.id, running.id, "--yes")

    assert sorted(out.splitlines()) == sorted([f"{waiting.id}  cancelled", f"{running.id}  stopping"])
    assert (waiting.state, Job.objects.get().cancel_requested) == ("REVOKED", True)


def test_what_has_ended_is_too_late_to_be_cancelled():
    job = add.delay(1)
    drain()

    out, err = jobs("cancel", job.id, code=1)

    assert (out, job.state) == ("", "SUCCESS")
    assert f"{job.id}: It has ended: succeeded" in err


def test_a_filter_cancels_what_may_still_happen_and_leaves_what_is_dead():
    failed, waiting = dead(), add.delay(1)

    out, _ = jobs("cancel", "--queue", "default", "--json")

    assert json.loads(out) == {"id": waiting.id, "answer": "cancelled"}
    assert Job.objects.get().pk == failed.id


def test_what_is_dead_is_dropped_when_that_is_said():
    job = dead()

    jobs("cancel", "--state", "dead")

    assert (job.state, Job.objects.exists()) == ("REVOKED", False)


def test_only_those_that_run_are_terminated(monkeypatch):
    told = []
    monkeypatch.setattr(Control, "broadcast", lambda self, *call: told.append(call))
    waiting, running = add.delay(1), claimed(add, 2)

    jobs("cancel", waiting.id, running.id, "--yes", "--terminate")

    assert told == [("revoke", {"task_id": [running.id], "terminate": True})]


def test_a_broker_that_is_away_is_told_and_the_wish_stays(monkeypatch):
    def away(*_args, **_options):
        raise OperationalError("refused")

    monkeypatch.setattr(Control, "broadcast", away)
    running = claimed(add, 2)

    _, err = jobs("cancel", running.id, "--terminate")

    assert err == "The broker is away, they stop at their next checkpoint: refused\n"
    assert Job.objects.get().cancel_requested


def test_jobs_that_wait_are_buried_with_a_reason():
    job, running = add.delay(1), claimed(add, 2)

    assert jobs("bury", "--task", "jobprobes.add", "--reason", "wrong price") == ("1 job buried\n", "")

    assert (Job.objects.get(pk=job.id).state, Job.objects.get(pk=job.id).error) == (
        State.DEAD,
        "Buried: wrong price",
    )
    assert Job.objects.get(pk=running.id).state == State.RUNNING


def test_burying_wants_a_reason():
    job = add.delay(1)

    with pytest.raises(CommandError, match="--reason"):
        call_command("jobs", "bury", job.id)


def test_many_are_done_bite_by_bite_and_a_terminal_shows_how_far(monkeypatch):
    monkeypatch.setattr(selecting, "BATCH", 2)
    for number in range(5):
        add.delay(number)

    _, err = jobs("bury", "--queue", "default", "--reason", "x", "--yes", stderr=Terminal())

    assert [part.strip() for part in err.split("\r") if part] == [
        "[############                  ] 2/5",
        "[########################      ] 4/5",
        "[##############################] 5/5",
    ]
    assert Job.objects.filter(state=State.DEAD).count() == 5


def test_ages_are_told_in_their_largest_unit(monkeypatch):
    add.delay(1)
    now = timezone.now()
    for age, told in (
        (timedelta(seconds=59), "59s"),
        (timedelta(minutes=5), "5m"),
        (timedelta(hours=30), "1d"),
        (timedelta(hours=3), "3h"),
    ):
        monkeypatch.setattr(ledger, "now", lambda moment=now + age + timedelta(milliseconds=500): moment)
        assert jobs("list")[0].splitlines()[1].split()[5] == told
