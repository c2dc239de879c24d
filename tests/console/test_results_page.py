"""The page of a result: it leads to what the task worked on, and to its job while there is one."""

from uuid import uuid4

import pytest
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from django_celery_results.models import TaskResult

from proj.jobs import subjects
from proj.jobs.schedules import run_now
from proj.jobs.subjects import Subject
from proj.jobs.testing import drain, without_broker
from tests.console.people import member, staff
from tests.jobs.probes import add, refuse

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _without_broker():
    with without_broker():
        yield


@pytest.fixture
def page(client):
    """Return a function that opens the page of the only result there is."""
    client.force_login(member("operators (view)"))

    def page() -> str:
        address = reverse("admin:django_celery_results_taskresult_change", args=[TaskResult.objects.get().pk])
        return client.get(address).content.decode()

    return page


def test_a_result_leads_to_its_subject_and_to_the_job_that_is_dead(page, monkeypatch):
    order = Subject("order:42", None, "/orders/42/", "/admin/orders/order/42/change/")
    monkeypatch.setitem(subjects._kinds, "order", subjects.Kind(lambda _: order, None, None))
    job = refuse.delay(42)
    drain()

    shown = page()

    assert '<a href="/admin/orders/order/42/change/">order:42</a>' in shown
    assert f'<a href="/admin/jobs/job/{job.id}/change/">dead</a>' in shown


def test_what_an_app_knows_of_a_task_is_enough(page, monkeypatch):
    avatar = Subject("avatar:7", None, "/profile/")
    kind = subjects.Kind(lambda _: None, lambda task_id: avatar if task_id == job.id else None, None)
    monkeypatch.setitem(subjects._kinds, "avatar", kind)
    job = add.delay(1)
    drain()

    shown = page()

    assert '<a href="/profile/">avatar:7</a>' in shown
    assert "ended: nothing is owed" in shown


def test_the_history_of_a_result_is_what_people_did_to_its_job(client, page):
    job = add.delay(1)
    drain()
    history = reverse("admin:django_celery_results_taskresult_history", args=[TaskResult.objects.get().pk])

    assert client.get(history).url == f"/admin/jobs/auditentry/?target=job%3A{job.id}"

    client.force_login(staff("view_taskresult"))
    assert client.get(history).status_code == 200


def test_a_subject_that_is_gone_is_said(page, monkeypatch):
    monkeypatch.setitem(subjects._kinds, "order", subjects.Kind(lambda _: None, None, None))
    refuse.delay(42)
    drain()

    assert "order:42, which is not there any more" in page()


def test_the_run_of_a_schedule_leads_to_it(page, client):
    daily = CrontabSchedule.objects.create(minute="30", hour="4")
    schedule = PeriodicTask.objects.create(name="x", task="jobprobes.add", args="[1]", crontab=daily)
    run_now(schedule, uuid4())
    address = f"/admin/django_celery_beat/periodictask/{schedule.pk}/change/"
    label = f"schedule:{schedule.pk}"

    assert client.get(reverse("admin:jobs_job_subject", args=[label])).url == address
    drain()
    assert f'<a href="{address}">{label}</a>' in page()
    schedule.delete()
    assert f"{label}, which is not there any more" in page()
