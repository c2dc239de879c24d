"""What each page of the admin asks the database: the same few questions, however many rows it shows."""

from io import StringIO

import pytest
from django.contrib.admin import site
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from django_celery_results.models import TaskResult

from media.models import Avatar, Thumbnail
from orders.payments.models import Incident, Provider, WebhookEvent
from orders.states import Status
from proj.console import dashboard
from proj.jobs import facts
from proj.jobs.models import AuditEntry, Operation, SkippedSlots
from proj.jobs.testing import without_broker
from reports.models import Report
from tests.factories import make_order, make_payment, make_refund, make_user
from tests.jobs.probes import refuse

pytestmark = pytest.mark.django_db

MOST = 15
MANY = 12
#: Pages that take more, and why.
EXCEPTIONS = {"orders.order change": 16}  # what nine kinds of rows have to tell, each read once


@pytest.fixture(autouse=True)
def _without_broker(monkeypatch):
    monkeypatch.setattr(dashboard, "_held", lambda queues: dict.fromkeys(queues, 0))
    monkeypatch.setattr(facts, "_ask_workers", lambda: (True, frozenset({"default"})))
    with without_broker():
        yield


@pytest.fixture
def crowd(db):
    """A dozen of everything, each of another person."""
    now, people = timezone.now(), [make_user(f"person{n}") for n in range(MANY)]
    Provider.objects.create(name="stripe")
    for n, person in enumerate(people):
        order = make_order(customer=person, status=Status.COMPLETED)
        make_refund(make_payment(order, provider_ref=f"pi_{n}"), 1)
        Incident.objects.create(kind="amount_differs", fingerprint=f"pi_{n}", summary="x", order=order)
        WebhookEvent.objects.create(
            provider="stripe", event_id=f"evt_{n}", kind="x", object_ref=f"pi_{n}", payload={}, created_at=now
        )
        avatar = Avatar.objects.create(owner=person, upload="x", digest=f"{n}", bytes=1, task_id=f"task-{n}")
        Thumbnail.objects.create(
            avatar=avatar, size=64, width=64, height=64, bytes=1, format="webp", file=f"{n}"
        )
        Report.objects.create(owner=person, date_from="2026-01-01", date_to="2026-01-01", task_id=f"t-{n}")
        refuse.delay(order.pk)
        TaskResult.objects.create(
            task_id=f"ended-{n}", status="SUCCESS", meta=f'{{"subject": "order:{order.pk}"}}'
        )
        daily = CrontabSchedule.objects.create(minute=n, timezone="Europe/London")
        schedule = PeriodicTask.objects.create(name=f"s{n}", task="reports.clean_up", crontab=daily)
        SkippedSlots.objects.create(periodic_task=schedule, reason="missed", first=now, last=now, size=1)
        AuditEntry.objects.create(
            actor="ann", origin="admin", action="queue.pause", target=f"order:{order.pk}"
        )
        Operation.objects.create(
            verb="retry", selection={}, reason="x", per_second=3, actor="ann", expected=7
        )
    call_command("ensure_groups", stdout=StringIO())


def asked(client, address):
    with CaptureQueriesContext(connection) as queries:
        response = client.get(address)
    assert response.status_code == 200, address
    return len(queries)


def test_every_page_of_the_admin_asks_few_questions(admin_client, crowd):
    pages = {"the dashboard": "/admin/", "its refresh": "/admin/dashboard/", "a queue": "/admin/queues/io/"}
    for model in site._registry:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        pages[f"{model._meta.label_lower} list"] = reverse(f"admin:{name}_changelist")
        first = model._default_manager.order_by("pk").first()
        if first is not None:
            pages[f"{model._meta.label_lower} change"] = reverse(f"admin:{name}_change", args=[first.pk])

    counts = {page: asked(admin_client, address) for page, address in pages.items()}

    assert {page: count for page, count in counts.items() if count >= EXCEPTIONS.get(page, MOST)} == {}
