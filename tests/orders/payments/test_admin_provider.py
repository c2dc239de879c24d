from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from orders.payments.models import EventState, Provider, WebhookEvent
from proj.jobs import subjects
from proj.jobs.models import AuditEntry, Job
from proj.jobs.subjects import Subject
from proj.jobs.testing import assert_enqueued
from tests.factories import make_user

PROVIDERS = reverse("admin:payments_provider_changelist")
PROVIDER = reverse("admin:payments_provider_change", args=["stripe"])
EVENTS = reverse("admin:payments_webhookevent_changelist")

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk(client):
    """Sign in somebody who may look at events and nothing else; return the client."""
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_webhookevent"))
    client.force_login(clerk)
    return client


@pytest.fixture
def event() -> WebhookEvent:
    return WebhookEvent.objects.create(
        provider="stripe",
        event_id="evt_1",
        kind="payment_intent.succeeded",
        object_ref="pi_1",
        payload={"data": {"object": {"id": "pi_1", "note": "<b>bold</b>"}}},
        state=EventState.FAILED,
        detail="Nobody knows it.",
        created_at=timezone.now(),
        settled_at=timezone.now(),
    )


def health(boss) -> str:
    page = boss.get(PROVIDERS)
    [provider] = page.context["cl"].result_list
    return page.context["cl"].model_admin.health(provider)


def test_the_provider_can_be_paused_before_it_was_ever_called(boss):
    assert health(boss) == "up"
    boss.post(PROVIDER, {"paused": "on", "calls_per_second": 80, "opens_after": 5, "why": "they asked"})
    assert Provider.objects.get().paused
    assert health(boss) == "paused by staff"
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target, entry.reason) == ("provider.change", "provider:stripe", "they asked")
    assert (entry.before, entry.after) == ({"paused": False}, {"paused": True})


def test_the_rate_is_changed_while_everything_runs(boss):
    Provider.objects.create(name="stripe")
    boss.post(PROVIDER, {"calls_per_second": 25, "opens_after": 3})
    provider = Provider.objects.get()
    assert (provider.calls_per_second, provider.opens_after) == (25, 3)


@pytest.mark.parametrize("rate", ["0", "-1", "", "many"])
def test_a_rate_that_is_none_is_refused(boss, rate):
    Provider.objects.create(name="stripe")
    page = boss.post(PROVIDER, {"calls_per_second": rate, "opens_after": 3})
    assert "calls_per_second" in page.context["adminform"].form.errors
    assert Provider.objects.get().calls_per_second == 80


def test_what_happens_while_the_form_is_open_is_not_overwritten(boss, monkeypatch):
    Provider.objects.create(name="stripe")
    before = Provider.objects.get()
    Provider.objects.update(failures=5, down_since=timezone.now(), paused=True)
    monkeypatch.setattr("orders.payments.admin.provider.ProviderAdmin.get_object", lambda *args: before)
    boss.post(PROVIDER, {"calls_per_second": 25, "opens_after": 5})
    provider = Provider.objects.get()
    assert (provider.calls_per_second, provider.failures, provider.paused) == (25, 5, True)
    assert provider.down_since is not None


def test_its_health_is_told_in_words(boss):
    now = timezone.now()
    provider = Provider.objects.create(name="stripe", failures=2)
    assert health(boss) == "up, but the last 2 calls were not answered"
    Provider.objects.update(down_since=now, next_probe_at=now + timedelta(seconds=5))
    assert health(boss).startswith("down since ")
    Provider.objects.update(failures=0, down_since=None, next_probe_at=None, recovered_at=now)
    with time_machine.travel(now, tick=False):
        assert health(boss) == "back, at 8 calls a second so far"
    Provider.objects.update(recovered_at=now - timedelta(minutes=1))
    assert health(boss) == "up"
    assert boss.get(PROVIDER).status_code == 200
    assert provider.pk == "stripe"


def test_nobody_adds_or_deletes_a_provider(boss):
    Provider.objects.create(name="stripe")
    assert boss.get(reverse("admin:payments_provider_add")).status_code == 403
    assert boss.post(reverse("admin:payments_provider_delete", args=["stripe"])).status_code == 403
    assert Provider.objects.count() == 1


def test_nobody_changes_what_the_provider_has_said(boss, event):
    page = reverse("admin:payments_webhookevent_change", args=[event.pk])
    shown = boss.get(page)
    assert shown.status_code == 200
    assert "&lt;b&gt;bold&lt;/b&gt;" in shown.content.decode()
    assert boss.post(page, {"state": "processed"}).status_code == 403
    assert boss.post(reverse("admin:payments_webhookevent_delete", args=[event.pk])).status_code == 403
    assert boss.get(reverse("admin:payments_webhookevent_add")).status_code == 403
    event.refresh_from_db()
    assert event.state == EventState.FAILED


@pytest.mark.parametrize("wanted", ["evt_1", "pi_1"])
def test_an_event_is_found_by_what_people_have_in_hand(boss, event, wanted):
    assert list(boss.get(EVENTS, {"q": wanted}).context["cl"].result_list) == [event]
    assert list(boss.get(EVENTS, {"q": wanted + "2"}).context["cl"].result_list) == []


@pytest.mark.parametrize(("state", "found"), [("failed", 1), ("processed", 0)])
def test_events_are_filtered_by_what_came_of_them(boss, event, state, found):
    assert len(boss.get(EVENTS, {"state__exact": state}).context["cl"].result_list) == found


def test_a_long_list_of_events_costs_as_many_queries_as_a_short_one(
    boss, event, django_assert_max_num_queries
):
    for number in range(30):
        event.pk, event.event_id = None, f"evt_more_{number}"
        event.save()
    with django_assert_max_num_queries(8) as queries:
        assert boss.get(EVENTS).status_code == 200
    assert not any('"payload"' in query["sql"] for query in queries)  # kilobytes each, and shown by none


def test_an_event_is_processed_again_on_request(boss, event, waiting):
    boss.post(EVENTS, {"action": "process_again", "_selected_action": [event.pk]})
    event.refresh_from_db()
    assert (event.state, event.detail, event.settled_at) == (EventState.RECEIVED, "", None)
    assert_enqueued("payments.process_event", args=[event.pk])
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target, entry.before) == (
        "event.process",
        f"event:{event.pk}",
        {"state": "failed", "detail": "Nobody knows it."},
    )


def test_who_may_only_look_processes_nothing(clerk, event):
    assert clerk.get(EVENTS).status_code == 200
    clerk.post(EVENTS, {"action": "process_again", "_selected_action": [event.pk]})
    event.refresh_from_db()
    assert event.state == EventState.FAILED
    assert (Job.objects.count(), AuditEntry.objects.count()) == (0, 0)


def test_the_job_of_an_event_leads_to_its_page(boss, event):
    found = subjects.resolve(f"event:{event.pk}")
    assert found == Subject(
        f"event:{event.pk}", None, reverse("admin:payments_webhookevent_change", args=[event.pk])
    )
    assert boss.get(found.url).status_code == 200
    assert subjects.resolve("event:0") is subjects.resolve("event:none") is None
