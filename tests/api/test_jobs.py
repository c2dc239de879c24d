import json

import pytest
from celery import states
from django.utils import timezone
from django_celery_results.models import TaskResult

from proj.jobs import subjects
from proj.jobs.subjects import Subject

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
def subject(alice, monkeypatch):
    """The job "mine" works on an order of Alice's."""
    found = Subject("order:42", alice.pk, "/orders/42/")
    monkeypatch.setattr(subjects, "_lookups", [lambda task_id: found if task_id == "mine" else None])


def store(task_id="mine", status=states.SUCCESS, result=None, **fields):
    return TaskResult.objects.create(
        task_id=task_id,
        status=status,
        result=json.dumps(result),
        task_name="orders.charge_order",
        date_started=timezone.now(),
        **fields,
    )


def read(client, user, job="mine"):
    client.force_login(user)
    return client.get(f"/api/v1/jobs/{job}")


def test_the_owner_reads_the_state_of_a_job(client, alice, subject):
    stored = store(result={"charged": 1})

    response = read(client, alice)

    assert response.status_code == 200
    job = response.json()
    assert {name: job[name] for name in ("id", "task", "state", "subject", "progress", "error")} == {
        "id": "mine",
        "task": "orders.charge_order",
        "state": "succeeded",
        "subject": "order:42",
        "progress": None,
        "error": None,
    }
    assert job["finished_at"] is not None
    assert job["created_at"].startswith(stored.date_created.isoformat()[:19])


def test_for_a_stranger_there_is_no_such_job(client, stranger, subject):
    store()

    assert read(client, stranger).status_code == 404


def test_staff_may_read_any_job(client, staff):
    store("somebodys")

    assert read(client, staff, "somebodys").json()["subject"] is None


def test_a_job_that_waits_for_a_worker_is_queued(client, alice, subject):
    assert read(client, alice).json()["state"] == "queued"


def test_a_job_nobody_knows_is_not_there(client, staff):
    assert read(client, staff, "unknown").status_code == 404


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (states.STARTED, "running"),
        (states.RETRY, "retrying"),
        (states.FAILURE, "dead"),
        (states.REVOKED, "cancelled"),
        ("PROGRESS", "running"),
    ],
)
def test_the_states_of_celery_have_plain_names(client, alice, subject, stored, shown):
    store(status=stored, result={"done": 1, "total": 2, "step": "x"})

    assert read(client, alice).json()["state"] == shown


def test_progress_is_shown_while_a_job_runs(client, alice, subject):
    store(status="PROGRESS", result={"done": 3, "total": 31, "step": "adding up days"})

    job = read(client, alice).json()

    assert job["progress"] == {"done": 3, "total": 31, "step": "adding up days"}
    assert job["finished_at"] is None


def test_a_dead_job_tells_its_error(client, alice, subject):
    store(
        status=states.FAILURE,
        result={"exc_type": "Declined", "exc_message": ["No funds."], "exc_module": "x"},
    )

    assert read(client, alice).json()["error"] == "Declined: No funds."


def test_only_staff_list_jobs(client, alice):
    client.force_login(alice)

    assert client.get("/api/v1/jobs").status_code == 403


def test_staff_list_jobs_newest_first_and_narrow_the_list(client, staff):
    store("first")
    store("second", status=states.FAILURE, result={"exc_type": "ValueError", "exc_message": []})
    client.force_login(staff)

    def ids(query=""):
        return [job["id"] for job in client.get(f"/api/v1/jobs{query}").json()["items"]]

    assert ids() == ["second", "first"]
    assert ids("?state=dead") == ["second"]
    assert ids("?state=cancelled") == []
    assert ids("?task=orders.charge_order&limit=1") == ["second"]
    assert client.get("/api/v1/jobs?state=odd").json()["code"] == "unknown_state"
