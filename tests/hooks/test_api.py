"""Webhooks over HTTP, for programs."""

from datetime import timedelta

import pytest
from django.utils import timezone

from proj.hooks import kinds
from proj.hooks.endpoints import MAX_ENDPOINTS
from proj.hooks.models import Delivery, Endpoint, State
from proj.hooks.switching import switch_off_by_hand, switch_on
from proj.jobs.testing import drain
from proj.urls import api
from tests.api.calls import assert_problem, bearer, get, post
from tests.factories import make_user

pytestmark = pytest.mark.django_db

WEBHOOKS = "/api/v1/webhooks"
NEW = {"url": "https://example.com/hooks", "events": ["order.paid"]}


def send(client, user, path, payload=None):
    return post(client, user, payload if payload is not None else {}, path=path)


def test_an_endpoint_is_created_and_its_secret_is_in_that_answer_only(client, ann):
    response = send(client, ann, WEBHOOKS, NEW)

    assert response.status_code == 201
    body = response.json()
    assert body["secret"].startswith("whsec_")
    assert response["Cache-Control"] == "no-store"
    read = get(client, ann, response["Location"]).json()
    assert read == {key: value for key, value in body.items() if key != "secret"}
    assert read == {
        "id": str(Endpoint.objects.get().public_id),
        "url": NEW["url"],
        "description": "",
        "events": ["order.paid"],
        "enabled": True,
        "disabled_because": "",
        "failing_since": None,
        "old_secret_until": None,
        "created_at": read["created_at"],
    }
    assert get(client, ann, WEBHOOKS).json() == {"items": [read]}


@pytest.mark.parametrize(
    ("payload", "code", "pointer"),
    [
        ({**NEW, "url": "https://127.0.0.1/"}, "endpoint_refused", "/url"),
        ({**NEW, "url": "http://example.com/"}, "endpoint_refused", "/url"),
        ({**NEW, "events": ["order.teleported"]}, "endpoint_refused", "/events"),
        ({**NEW, "events": []}, "invalid", "/events"),
        ({**NEW, "url": "x" * 501}, "invalid", "/url"),
        ({**NEW, "url": "https://example.com/\x00"}, "invalid", "/url"),
        ({**NEW, "secret": "mine"}, "invalid", "/secret"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(client, ann, settings, payload, code, pointer):
    settings.HOOKS_ALLOW_PRIVATE = False

    problem = assert_problem(send(client, ann, WEBHOOKS, payload), 422, code)

    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert not Endpoint.objects.exists()


def test_too_many_are_refused(client, ann):
    for _ in range(MAX_ENDPOINTS):
        assert send(client, ann, WEBHOOKS, NEW).status_code == 201

    assert_problem(send(client, ann, WEBHOOKS, NEW), 422, "endpoint_refused")


def test_another_persons_endpoints_do_not_exist(client, tell, endpoint, receiver):
    delivery = tell()
    eve = make_user("eve", is_staff=True, is_superuser=True)
    base = f"{WEBHOOKS}/{endpoint.public_id}"
    one = f"{base}/deliveries/{delivery.event_id}"
    before = Endpoint.objects.values().get()

    for path in (base, f"{base}/deliveries", one):
        assert_problem(get(client, eve, path), 404, "not_found")
    for path in (f"{base}/secret", f"{base}/replay", f"{base}/ping", f"{one}/replay"):
        assert_problem(send(client, eve, path), 404, "not_found")
    assert_problem(client.delete(base, headers=bearer(eve)), 404, "not_found")
    patched = client.patch(base, {"url": NEW["url"]}, content_type="application/json", headers=bearer(eve))
    assert_problem(patched, 404, "not_found")
    assert get(client, eve, WEBHOOKS).json() == {"items": []}
    assert Endpoint.objects.values().get() == before
    assert_problem(client.get(base), 401, "unauthenticated")


def test_an_endpoint_is_changed_switched_and_deleted(client, ann, endpoint):
    base = f"{WEBHOOKS}/{endpoint.public_id}"

    def patch(**change):
        return client.patch(base, change, content_type="application/json", headers=bearer(ann))

    assert patch(events=["order.refunded"]).json()["events"] == ["order.refunded"]
    off = patch(enabled=False).json()
    assert (off["enabled"], off["disabled_because"]) == (False, "You have switched it off.")
    assert_problem(send(client, ann, f"{base}/ping"), 409, "endpoint_off")
    assert_problem(send(client, ann, f"{base}/replay"), 409, "endpoint_off")
    assert patch(enabled=True).json()["enabled"] is True
    assert_problem(patch(events=["nothing"], description="other"), 422, "endpoint_refused")
    endpoint.refresh_from_db()
    assert endpoint.description == "Till 3"

    assert client.delete(base, headers=bearer(ann)).status_code == 204
    assert_problem(get(client, ann, base), 404, "not_found")


def test_a_secret_is_replaced(client, ann, made):
    endpoint, old = made
    answer = send(client, ann, f"{WEBHOOKS}/{endpoint.public_id}/secret").json()
    assert answer["secret"] != old
    assert answer["old_secret_until"] is not None

    ended = send(client, ann, f"{WEBHOOKS}/{endpoint.public_id}/secret", {"end_old_now": True})

    assert ended.json()["old_secret_until"] is None
    assert ended["Cache-Control"] == "no-store"


def test_deliveries_are_listed_read_and_replayed(client, ann, tell, endpoint, receiver):
    receiver.replies = [500]
    first, second = tell(), tell()
    Delivery.objects.filter(pk=second.pk).update(state=State.FAILED, error="Why.", settled_at=timezone.now())
    drain()
    base = f"{WEBHOOKS}/{endpoint.public_id}"

    page = get(client, ann, f"{base}/deliveries", limit=1).json()
    assert [item["id"] for item in page["items"]] == [second.event_id]
    rest = get(client, ann, f"{base}/deliveries", cursor=page["next"]).json()
    assert [(item["id"], item["state"]) for item in rest["items"]] == [(first.event_id, "pending")]
    failed = get(client, ann, f"{base}/deliveries", state="failed").json()["items"]
    assert [(item["id"], item["error"], item["next_attempt_at"]) for item in failed] == [
        (second.event_id, "Why.", None)
    ]

    read = get(client, ann, f"{base}/deliveries/{first.event_id}").json()
    assert (read["body"], read["type"]) == (first.body, "order.paid")
    assert [(attempt["status"], attempt["error"]) for attempt in read["attempts"]] == [(500, None)]

    replayed = send(client, ann, f"{base}/deliveries/{first.event_id}/replay")
    assert (replayed.status_code, replayed.json()["state"]) == (202, "pending")
    assert send(client, ann, f"{base}/replay").json() == {"replayed": 1}
    drain(ahead=True)
    assert not Delivery.objects.exclude(state=State.DELIVERED).exists()


def test_only_what_failed_since_a_moment_is_replayed(client, ann, tell, endpoint):
    tell()
    Delivery.objects.update(state=State.FAILED)
    path = f"{WEBHOOKS}/{endpoint.public_id}/replay"
    later = (timezone.now() + timedelta(minutes=1)).isoformat()

    assert send(client, ann, path, {"since": later}).json() == {"replayed": 0}
    for impossible in ("2026-01-01T00:00:00", "0001-01-01T00:00:00+12:00", "9999-12-31T23:59:59-12:00"):
        assert_problem(send(client, ann, path, {"since": impossible}), 422, "invalid")
    assert send(client, ann, path, {"since": "4164-04-15T17:40:44+22:42"}).json() == {"replayed": 0}
    assert send(client, ann, path, {"since": "2026-01-01T00:00:00Z"}).json() == {"replayed": 1}


def test_a_ping_is_a_delivery(client, ann, endpoint, receiver):
    answer = send(client, ann, f"{WEBHOOKS}/{endpoint.public_id}/ping")

    assert (answer.status_code, answer.json()["type"]) == (202, kinds.PING)
    drain()
    assert [post.id for post in receiver.posts] == [answer.json()["id"]]


@pytest.mark.parametrize("what", ["ping", "replay", "deliveries/{}/replay"])
def test_what_is_asked_for_twice_with_a_key_is_sent_once(client, ann, tell, endpoint, receiver, what):
    delivery = tell()
    drain()
    Delivery.objects.update(state=State.FAILED)
    path = f"{WEBHOOKS}/{endpoint.public_id}/{what.format(delivery.event_id)}"

    first = post(client, ann, {}, key="k", path=path)
    sent = len(drain(ahead=True))
    Delivery.objects.update(state=State.FAILED)
    again = post(client, ann, {}, key="k", path=path)

    assert (first.status_code, again.status_code, again.content) == (202, 202, first.content)
    assert again["Idempotent-Replayed"] == "true"
    assert get(client, ann, first["Location"]).status_code == 200
    assert (sent > 0, drain(ahead=True)) == (True, [])
    assert len(receiver.posts) == 2


def test_what_an_endpoint_that_is_off_was_not_sent_is_sent_with_the_same_key_once_it_is_on(
    client, ann, endpoint, receiver
):
    path = f"{WEBHOOKS}/{endpoint.public_id}/ping"
    switch_off_by_hand(endpoint.pk, "Enough.")
    assert_problem(post(client, ann, {}, key="k", path=path), 409, "endpoint_off")

    switch_on(endpoint.pk)

    assert post(client, ann, {}, key="k", path=path).status_code == 202


def test_every_kind_of_event_is_listed_with_an_example(client, ann):
    items = get(client, ann, f"{WEBHOOKS}/event-types").json()["items"]

    assert [item["name"] for item in items] == list(kinds.subscribable())
    assert all(item["description"] and item["example"] for item in items)


def test_every_refusal_is_described():
    paths = {path: item for path, item in api.get_openapi_schema()["paths"].items() if "/webhooks" in path}

    assert len(paths) == 9
    for path, item in paths.items():
        for operation in item.values():
            if "{endpoint_id}" in path:
                assert "404" in {str(status) for status in operation["responses"]}, path
            assert operation["summary"]
