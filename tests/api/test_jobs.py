import json
from datetime import timedelta

import pytest
from celery import states
from django.contrib.auth.models import Permission
from django.utils import timezone
from django_celery_results.models import TaskResult

from proj.jobs import ledger, subjects
from proj.jobs.models import Job, State
from proj.jobs.subjects import Kind, Subject
from proj.jobs.testing import drain, without_broker
from tests.api.calls import assert_problem
from tests.jobs.probes import add, busy, refuse, stops

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(django_user_model):
    return django_user_model.objects.create_user("alice")


@pytest.fixture
def stranger(django_user_model):
    return django_user_model.objects.create_user("stranger")


@pytest.fixture
def staff(django_user_model):
    return django_user_model.objects.create_user("staff", is_staff=True)


@pytest.fixture
def operator(staff):
    staff.user_permissions.add(Permission.objects.get(codename="operate_job"))
    return staff


@pytest.fixture(autouse=True)
def _without_broker():
    with without_broker():
        yield


@pytest.fixture(autouse=True)
def subject(alice, monkeypatch):
    """Order 42 is Alice's, and the job "mine" is known to work on it."""
    found = Subject("order:42", alice.pk, "/orders/42/")
    kind = Kind(
        resolve=lambda identity: found if identity == "42" else None,
        find=lambda task_id: found if task_id == "mine" else None,
        task_ids=lambda identity: ["mine"] if identity == "42" else [],
    )
    monkeypatch.setattr(subjects, "_kinds", {"order": kind})


def store(task_id="mine", status=states.SUCCESS, result=None, **fields):
    return TaskResult.objects.create(
        task_id=task_id,
        status=status,
        result=json.dumps(result),
        task_name="orders.charge_order",
        date_started=timezone.now(),
        **fields,
    )


def claimed(task, *args):
    job = task.delay(*args)
    claim = ledger.claim(job.id, task=task.name, retries=0, worker="w1@test", seconds=10)
    return job, claim


def read(client, user, job="mine"):
    client.force_login(user)
    return client.get(f"/api/v1/jobs/{job}")


def ask(client, user, verb, job):
    client.force_login(user)
    return client.post(f"/api/v1/jobs/{job}/{verb}")


# --- one job ----------------------------------------------------------------------------------------------------------


def test_the_owner_reads_a_job_that_is_owed(client, alice):
    job = refuse.delay(42)

    response = read(client, alice, job.id)

    assert response.status_code == 200
    shown = response.json()
    assert shown.pop("created_at").startswith(Job.objects.get().created_at.isoformat()[:19])
    assert shown == {
        "id": job.id,
        "task": "jobprobes.refuse",
        "state": "queued",
        "queue": "default",
        "attempt": 0,
        "subject": "order:42",
        "progress": None,
        "error": None,
        "started_at": None,
        "finished_at": None,
        "why": "It waits for the broker, which is away; it is safe meanwhile.",
    }


def test_the_owner_reads_a_job_that_has_ended(client, alice):
    stored = store(result={"charged": 1})

    job = read(client, alice).json()

    assert (job["state"], job["task"], job["subject"]) == ("succeeded", "orders.charge_order", "order:42")
    assert (job["progress"], job["error"], job["queue"], job["attempt"]) == (None, None, None, None)
    assert job["finished_at"] is not None
    assert job["created_at"].startswith(stored.date_created.isoformat()[:19])
    assert job["why"].startswith("It has ended: succeeded")


def test_a_job_of_the_ledger_keeps_its_queue_attempt_and_subject_when_it_has_ended(client, alice):
    job = stops.apply_async(kwargs={"checkpoint": "none"}, headers={"subject": "order:42"})
    drain()

    shown = read(client, alice, job.id).json()

    assert (shown["state"], shown["queue"], shown["attempt"], shown["subject"]) == (
        "succeeded",
        "default",
        1,
        "order:42",
    )
    assert shown["started_at"] is not None


def test_for_a_stranger_there_is_no_such_job(client, stranger):
    store()
    job = refuse.delay(42)

    assert read(client, stranger).status_code == 404
    assert read(client, stranger, job.id).status_code == 404
    assert ask(client, stranger, "cancel", job.id).status_code == 404
    assert ask(client, stranger, "retry", job.id).status_code == 404
    assert job.state == "QUEUED"


def test_staff_may_read_any_job(client, staff):
    store("somebodys")

    assert read(client, staff, "somebodys").json()["subject"] is None


def test_a_task_whose_turn_has_not_come_is_queued(client, alice):
    job = read(client, alice).json()

    assert (job["state"], job["why"]) == ("queued", "What comes before it has not ended.")


def test_a_job_nobody_knows_is_not_there(client, staff):
    assert read(client, staff, "unknown").status_code == 404


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (states.STARTED, "running"),
        (states.RETRY, "retrying"),
        (states.FAILURE, "failed"),
        (states.REVOKED, "cancelled"),
        ("PROGRESS", "running"),
    ],
)
def test_the_states_of_celery_have_plain_names(client, alice, stored, shown):
    store(status=stored, result={"done": 1, "total": 2, "step": "x"})

    assert read(client, alice).json()["state"] == shown


def test_the_states_of_the_ledger_have_plain_names(client, staff):
    later, retried, failed = add.apply_async((1,), countdown=600), busy.delay(), refuse.delay(1)
    drain()
    waiting, (running, _) = add.delay(1), claimed(add, 2)

    told = {
        job.id: read(client, staff, job.id).json()["state"]
        for job in (later, retried, failed, waiting, running)
    }

    assert list(told.values()) == ["scheduled", "retrying", "dead", "queued", "running"]


def test_progress_is_shown_while_a_job_runs(client, alice):
    job, claim = claimed(refuse, 42)
    ledger.note(claim, "PROGRESS", {"done": 3, "total": 31, "step": "adding up days"})

    shown = read(client, alice, job.id).json()

    assert shown["progress"] == {"done": 3, "total": 31, "step": "adding up days"}
    assert shown["finished_at"] is None
    assert shown["started_at"] is not None
    assert shown["why"].startswith("It runs on w1@test since")


def test_a_custom_state_that_is_no_progress_is_shown_as_running(client, alice):
    job, claim = claimed(refuse, 42)
    ledger.note(claim, "ASKING", {"whom": "the provider"})

    shown = read(client, alice, job.id).json()

    assert (shown["state"], shown["progress"]) == ("running", None)


def test_a_dead_job_tells_its_error(client, alice):
    job = refuse.delay(42)
    drain()

    shown = read(client, alice, job.id).json()

    assert (shown["state"], shown["error"]) == ("dead", "Permanent: order 42 is refused")
    assert shown["why"].startswith("It is dead after 1 attempt")
    assert shown["finished_at"] is not None


def test_a_task_that_failed_outside_the_ledger_tells_its_error(client, alice):
    store(
        status=states.FAILURE,
        result={"exc_type": "Declined", "exc_message": ["No funds."], "exc_module": "x"},
    )

    assert read(client, alice).json()["error"] == "Declined: No funds."


# --- operating --------------------------------------------------------------------------------------------------------


def test_the_owner_cancels_a_job_that_waits(client, alice):
    job = refuse.delay(42)

    response = ask(client, alice, "cancel", job.id)

    assert (response.status_code, response.json()) == (202, {"id": job.id, "answer": "cancelled"})
    assert read(client, alice, job.id).json()["state"] == "cancelled"


def test_a_job_that_runs_is_asked_to_stop(client, alice):
    job, _ = claimed(refuse, 42)

    response = ask(client, alice, "cancel", job.id)

    assert (response.status_code, response.json()["answer"]) == (202, "stopping")
    assert "was asked to stop" in read(client, alice, job.id).json()["why"]


def test_what_has_ended_is_not_cancelled(client, alice):
    store()

    assert_problem(ask(client, alice, "cancel", "mine"), 409, "too_late")
    assert TaskResult.objects.get().status == states.SUCCESS


def test_staff_who_may_not_operate_jobs_do_not_cancel_those_of_others(client, staff):
    job = refuse.delay(42)

    assert_problem(ask(client, staff, "cancel", job.id), 403, "forbidden")
    assert job.state == "QUEUED"


def test_who_may_operate_jobs_cancels_those_of_others(client, operator):
    job = refuse.delay(42)

    assert ask(client, operator, "cancel", job.id).status_code == 202
    assert job.state == "REVOKED"


def test_who_may_operate_jobs_retries_a_dead_one(client, operator):
    job = refuse.delay(42)
    drain()

    response = ask(client, operator, "retry", job.id)

    assert (response.status_code, response.json()) == (202, {"id": job.id, "answer": "queued"})
    assert read(client, operator, job.id).json()["state"] == "queued"


def test_what_is_not_dead_is_not_retried(client, operator):
    job = refuse.delay(42)

    assert_problem(ask(client, operator, "retry", job.id), 409, "not_dead")


@pytest.mark.parametrize("who", ["alice", "staff"])
def test_neither_the_owner_nor_just_any_staff_retry_jobs(client, who, request):
    job = refuse.delay(42)
    drain()

    assert_problem(ask(client, request.getfixturevalue(who), "retry", job.id), 403, "forbidden")
    assert Job.objects.get().state == State.DEAD


# --- many jobs --------------------------------------------------------------------------------------------------------


@pytest.fixture
def ids(client, staff):
    client.force_login(staff)

    def ids(query=""):
        return [job["id"] for job in client.get(f"/api/v1/jobs{query}").json()["items"]]

    return ids


def test_only_staff_list_jobs(client, alice):
    client.force_login(alice)

    assert_problem(client.get("/api/v1/jobs"), 403, "forbidden")


def test_what_is_owed_comes_before_what_has_ended_each_newest_first(ids):
    store("first"), store("second")
    third, fourth = add.delay(1), add.delay(2)

    assert ids() == [fourth.id, third.id, "second", "first"]


def test_every_filter_narrows_the_list(ids):
    store("mine", status=states.SUCCESS)
    store("failed", status=states.FAILURE)
    failed = refuse.delay(42)
    drain()
    waiting = add.delay(1)
    later = add.apply_async((1,), countdown=600, queue="bulk")

    assert ids("?state=queued") == [waiting.id]
    assert ids("?state=scheduled") == ids("?queue=bulk") == [later.id]
    assert ids("?state=dead") == ids("?task=jobprobes.refuse") == [failed.id]
    assert ids("?state=succeeded") == ["mine"]
    assert ids("?state=failed") == ["failed"]
    assert ids("?state=cancelled") == ids("?state=running") == ids("?state=retrying") == []
    assert ids("?subject=order:42") == [failed.id, "mine"]
    assert ids("?subject=order:43") == ids("?subject=nothing") == []
    assert ids("?task=orders.charge_order&limit=1") == ["failed"]


def test_a_job_that_is_replayed_is_listed_once(ids):
    failed = refuse.delay(42)
    drain()
    assert ids() == [failed.id]

    ledger.replay([failed.id])
    assert ids() == [failed.id]


def test_pages_follow_one_another_through_both_tables(client, staff):
    for number in range(3):
        store(f"ended {number}")
        add.delay(number)
    Job.objects.update(created_at=timezone.now())  # at once: the id decides
    client.force_login(staff)

    seen, cursor = [], ""
    for _ in range(10):
        page = client.get(
            f"/api/v1/jobs?limit=2&cursor={cursor}" if cursor else "/api/v1/jobs?limit=2"
        ).json()
        seen += [job["id"] for job in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break

    owed = sorted(Job.objects.values_list("pk", flat=True), reverse=True)
    assert seen == [*owed, "ended 2", "ended 1", "ended 0"]


@pytest.mark.parametrize("cursor", ["x", "eA==", "b3dlZApub3cKMQ==", "ZW5kZWQKCng=", "ZW5kZWQKCi0x"])
def test_a_cursor_that_is_not_ours_is_refused(client, staff, cursor):
    client.force_login(staff)

    assert_problem(client.get(f"/api/v1/jobs?cursor={cursor}"), 422, "bad_cursor")


def test_a_state_that_is_none_is_refused_with_those_there_are(client, staff):
    client.force_login(staff)

    problem = assert_problem(client.get("/api/v1/jobs?state=odd"), 422, "unknown_state")
    assert problem["detail"] == (
        "state is one of cancelled, dead, failed, queued, retrying, running, scheduled, succeeded."
    )


def test_a_list_asks_a_few_questions_however_many_jobs_there_are(
    client, staff, django_assert_max_num_queries
):
    for number in range(30):
        refuse.delay(number)
        store(f"ended {number}", date_created=timezone.now() - timedelta(hours=1))
    client.force_login(staff)

    with django_assert_max_num_queries(8):
        assert len(client.get("/api/v1/jobs?limit=60").json()["items"]) == 60
