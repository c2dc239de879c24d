"""What has happened to a job: each attempt, whatever became of it, on the job's page and then on its result's."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django_celery_results.models import TaskResult

from proj.jobs import facts, ledger, operations
from proj.jobs.audit import Actor
from proj.jobs.describing import meta_of
from proj.jobs.ledger import attempts
from proj.jobs.models import Job
from proj.jobs.testing import drain, without_broker
from proj.jobs.timeline import timeline
from tests.factories import make_user
from tests.jobs.probes import add, busy, refuse

pytestmark = pytest.mark.django_db

ANN = Actor("ann", 1, "admin")


@pytest.fixture(autouse=True)
def _without_broker(monkeypatch):
    monkeypatch.setattr(facts, "_ask_workers", lambda: (True, frozenset({"default"})))
    with without_broker():
        yield


@pytest.fixture
def reader(client):
    user = make_user(is_staff=True)
    codenames = ["view_job", "view_auditentry", "view_taskresult"]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user)
    return user


def claim(job, *, worker="w1@test", retries=0):
    return ledger.claim(job.id, task=add.name, retries=retries, worker=worker, seconds=10)


def lose(job, worker):
    taken = claim(job, worker=worker)
    ledger.rescue([ledger.Orphan(job.id, taken.attempt, add.name, worker, 0)])


def story(job):
    row = Job.objects.filter(pk=job.id).first()
    result = TaskResult.objects.filter(task_id=job.id).first()
    return [(moment.what, moment.by) for moment in timeline(row, result, [], ledger.now())]


def test_attempts_are_told_with_their_workers_and_ends_and_outlive_the_row():
    job = add.delay(1)
    lose(job, "w1@test")
    ledger.postpone(claim(job, worker="w2@test"), 0, reason="not now")
    ledger.release(claim(job, worker="w3@test"))

    assert story(job) == [
        ("enqueued", ""),
        ("attempt 1: its worker was gone", "w1@test"),
        ("attempt 2: postponed", "w2@test"),
        ("attempt 3: given back", "w3@test"),
        ("waits for a worker", ""),
    ]

    drain()

    assert not Job.objects.exists()
    assert [what for what, _ in story(job)] == [
        "enqueued",
        "attempt 1: its worker was gone",
        "attempt 2: postponed",
        "attempt 3: given back",
        "attempt 4: succeeded",
    ]


def test_an_attempt_that_failed_in_passing_keeps_its_error_and_the_next_try_is_told():
    job = busy.delay()
    drain()

    row = Job.objects.get()
    [failed] = row.attempts
    assert (failed["number"], failed["how"], failed["error"]) == (
        1,
        "retried",
        "Transient: the provider is busy",
    )
    assert [what for what, _ in story(job)] == [
        "enqueued",
        "attempt 1: failed in passing",
        "waits for its next try",
    ]
    assert timeline(row, None, [], ledger.now())[-1].at == row.available_at


def test_a_dead_job_that_is_retried_keeps_what_it_died_of_the_first_time():
    job = refuse.delay(7)
    drain()
    operations.retry([job.id], by=ANN)
    drain()

    assert [what for what, _ in story(job)] == [
        "enqueued",
        "attempt 1: failed for good",
        "attempt 2: failed for good",
    ]


def test_a_job_that_runs_is_told_and_one_that_was_buried_unrun_has_no_attempts():
    running, waiting = add.delay(1), add.delay(2)
    claim(running, worker="w9@test")
    operations.bury([waiting.id], "no use", by=ANN)

    assert story(running)[-1] == ("attempt 1: runs", "w9@test")
    assert story(waiting) == [("enqueued", "")]


def test_what_never_ran_is_no_attempt():
    job = add.delay(1)

    ledger.bury_unclaimed(job.id, error="ended from outside")

    assert Job.objects.get().attempts is None


def test_a_job_that_is_cancelled_hands_its_attempts_on():
    job = add.delay(1)
    lose(job, "w1@test")

    operations.cancel([job.id], by=ANN)

    result = TaskResult.objects.get()
    assert [each["how"] for each in meta_of(result)["attempts"]] == ["lost"]
    assert [what for what, _ in story(job)] == ["enqueued", "attempt 1: its worker was gone", "cancelled"]


def test_the_newest_attempts_are_kept_however_many_there_were():
    job = add.delay(1)
    for _ in range(attempts.KEPT + 3):
        ledger.postpone(claim(job), 0, reason="not now")

    numbers = [each["number"] for each in Job.objects.get().attempts]
    assert numbers == list(range(4, attempts.KEPT + 4))


def test_each_attempt_has_its_own_times():
    job = add.delay(1)
    ledger.release(claim(job))
    Job.objects.update(created_at=ledger.now() - timedelta(hours=1))

    enqueued, attempt, _ = timeline(Job.objects.get(), None, [], ledger.now())

    assert attempt.at - enqueued.at > timedelta(minutes=59)
    assert timedelta() < attempt.until - attempt.at < timedelta(minutes=1)


# --- the pages --------------------------------------------------------------------------------------------------------


def test_the_page_of_a_job_tells_its_attempts_and_what_people_did(client, reader):
    job = refuse.delay(7)
    drain()
    operations.retry([job.id], by=ANN, reason="the shelf is <full> again")

    page = client.get(reverse("admin:jobs_job_change", args=[job.id])).content.decode()

    assert "attempt 1: failed for good" in page
    assert "order 7 is refused" in page
    assert "the shelf is &lt;full&gt; again" in page


def test_what_people_did_is_for_those_who_may_read_the_audit_log(client, reader):
    job = refuse.delay(7)
    drain()
    operations.retry([job.id], by=ANN, reason="because")
    reader.user_permissions.remove(Permission.objects.get(codename="view_auditentry"))

    page = client.get(reverse("admin:jobs_job_change", args=[job.id])).content.decode()

    assert "attempt 1: failed for good" in page
    assert "because" not in page


def test_the_address_of_a_job_leads_to_its_result_when_it_has_ended(client, reader):
    job = add.delay(1)
    lose(job, "w1@test")
    drain()

    page = client.get(reverse("admin:jobs_job_change", args=[job.id]), follow=True)

    result = TaskResult.objects.get()
    assert page.redirect_chain == [
        (reverse("admin:django_celery_results_taskresult_change", args=[result.pk]), 302)
    ]
    assert "attempt 1: its worker was gone" in page.content.decode()
    assert "attempt 2: succeeded" in page.content.decode()


def test_the_address_of_a_job_that_never_was_leads_home_and_who_may_not_look_is_told_nothing(client, reader):
    add.delay(1)
    ended = drain()[0].id

    assert client.get(reverse("admin:jobs_job_change", args=["nothing"])).url == "/admin/"
    reader.user_permissions.remove(Permission.objects.get(codename="view_job"))
    assert client.get(reverse("admin:jobs_job_change", args=[ended])).status_code == 403
