"""Webhooks in the back office: staff see them, and do what they may do; it is written down."""

import uuid

import pytest
from django.test import Client
from django.utils import timezone

from proj.accounts.models import Mail
from proj.hooks import admin
from proj.hooks.models import Delivery, State
from proj.jobs.models import AuditEntry
from proj.jobs.testing import drain
from tests.console.people import staff

pytestmark = pytest.mark.django_db

ENDPOINTS, DELIVERIES = "/admin/hooks/endpoint/", "/admin/hooks/delivery/"
SEEING = ("view_endpoint", "view_delivery")


def signed_in(*codenames: str) -> Client:
    client = Client()
    client.force_login(staff(*codenames))
    return client


def act(client, path, action, row):
    return client.post(path, {"action": action, "_selected_action": [row.pk]}, follow=True)


def test_staff_see_all_but_the_secret(tell, endpoint):
    delivery = tell()
    client = signed_in(*SEEING)

    for path in (
        ENDPOINTS,
        f"{ENDPOINTS}{endpoint.pk}/change/",
        DELIVERIES,
        f"{DELIVERIES}{delivery.pk}/change/",
    ):
        page = client.get(path)
        assert page.status_code == 200
        assert endpoint.secret not in page.text


def test_staff_without_the_permission_do_nothing(tell, endpoint):
    delivery = tell()
    Delivery.objects.update(state=State.FAILED)
    client = signed_in(*SEEING)

    act(client, ENDPOINTS, "switch_off", endpoint)
    act(client, DELIVERIES, "replay", delivery)

    endpoint.refresh_from_db()
    delivery.refresh_from_db()
    assert (endpoint.is_on, delivery.state) == (True, State.FAILED)
    assert not AuditEntry.objects.exists()


def test_staff_switch_off_and_it_is_told_and_written_down(tell, endpoint, ann):
    client = signed_in(*SEEING, "change_endpoint")

    page = act(client, ENDPOINTS, "switch_off", endpoint)

    assert "Switched off: 1." in page.text
    endpoint.refresh_from_db()
    assert endpoint.disabled_because == "Our staff have switched it off."
    assert Mail.objects.get().recipient == ann.email
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target) == ("webhook.switch_off", f"endpoint:{endpoint.public_id}")
    assert "Switched off: 0." in act(client, ENDPOINTS, "switch_off", endpoint).text
    assert AuditEntry.objects.count() == 1


def test_a_delivery_is_found_by_its_id_and_by_that_of_its_endpoint(tell, endpoint):
    first, second = tell(), tell()
    client = signed_in(*SEEING)

    def found(term: str) -> set[Delivery]:
        return set(client.get(DELIVERIES, {"q": term}).context["cl"].result_list)

    assert found(first.event_id) == {first}
    assert found(str(endpoint.public_id)) == found(" ") == {first, second}
    assert found(str(uuid.uuid4())) == found("msg_0") == set()


def test_too_many_at_a_time_are_refused(tell, monkeypatch):
    monkeypatch.setattr(admin, "MOST", 1)
    tell()
    Delivery.objects.filter(pk=tell().pk).update(state=State.FAILED)
    client = signed_in(*SEEING, "replay_delivery")
    chosen = list(Delivery.objects.values_list("pk", flat=True))

    page = client.post(DELIVERIES, {"action": "replay", "_selected_action": chosen}, follow=True)

    assert "Nothing was done: choose at most 1 at a time." in page.text
    assert Delivery.objects.filter(state=State.FAILED).count() == 1
    assert not AuditEntry.objects.exists()


def test_staff_send_again_and_it_is_written_down(tell, endpoint, receiver):
    delivery = tell()
    Delivery.objects.update(state=State.FAILED, settled_at=timezone.now())
    client = signed_in(*SEEING, "replay_delivery")

    assert "Being sent again: 1." in act(client, DELIVERIES, "replay", delivery).text

    drain()
    assert [post.id for post in receiver.posts] == [delivery.event_id]
    assert AuditEntry.objects.get().action == "webhook.replay"
    endpoint.disabled_at = timezone.now()
    endpoint.save()
    assert "nothing was sent: 1." in act(client, DELIVERIES, "replay", delivery).text
    assert AuditEntry.objects.count() == 1
