"""Status that is asked for again and again: ETag, 304, and Retry-After."""

from datetime import datetime, timedelta, timezone

import pytest
import time_machine
from django.contrib.auth.models import User

from media.models import Avatar
from orders import pipeline
from orders.models import Order
from orders.states import Status
from proj.api import polling
from proj.jobs.models import Job
from proj.jobs.testing import without_broker
from reports.models import Report
from tests.api.calls import assert_problem, bearer
from tests.factories import make_order, make_user

NOW = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> User:
    return make_user("ann")


@pytest.fixture
def things(ann) -> dict[str, tuple[str, object]]:
    """Of each kind of thing its address, and one that has not ended."""
    order = make_order(customer=ann)
    avatar = Avatar.objects.create(owner=ann, upload="x", digest="x", bytes=1)
    report = Report.objects.create(owner=ann, date_from="2026-01-01", date_to="2026-01-01")
    with without_broker():
        pipeline.start(order)
    job = Job.objects.get()
    return {
        "order": (f"/api/v1/orders/{order.public_id}", order),
        "avatar": (f"/api/v1/avatars/{avatar.public_id}", avatar),
        "report": (f"/api/v1/reports/{report.public_id}", report),
        "job": (f"/api/v1/jobs/{job.pk}", job),
    }


KINDS = pytest.mark.parametrize("kind", ["avatar", "job", "order", "report"])


def change(thing) -> None:
    match thing:
        case Order():
            thing.transition_to(Status.VALIDATED, actor="system")
        case Avatar():
            Avatar.objects.update(status="processing")
        case Report():
            Report.objects.update(status="running")
        case Job():
            Job.objects.update(error="busy")


@KINDS
def test_who_knows_the_answer_gets_none_until_it_changes(client, ann, things, kind):
    address, thing = things[kind]
    headers = bearer(ann)
    first = client.get(address, headers=headers)
    known = headers | {"If-None-Match": first["ETag"]}

    same = client.get(address, headers=known)
    assert (same.status_code, same.content, same["ETag"]) == (304, b"", first["ETag"])
    assert same["Retry-After"] == first["Retry-After"] == "1"
    assert (same["Cache-Control"], "Authorization" in same["Vary"]) == ("private, no-cache", True)

    change(thing)
    changed = client.get(address, headers=known)
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


@KINDS
def test_somebody_elses_etag_opens_nothing(client, ann, things, kind):
    address, _ = things[kind]
    etag = client.get(address, headers=bearer(ann))["ETag"]

    stranger = client.get(address, headers=bearer(make_user()) | {"If-None-Match": etag})

    assert_problem(stranger, 404, "not_found")
    assert "ETag" not in stranger


@pytest.mark.parametrize("known", ["*", "W/{etag}", '"other", {etag}'])
def test_tags_are_compared_as_http_says(client, ann, things, known):
    address, _ = things["order"]
    etag = client.get(address, headers=bearer(ann))["ETag"]

    again = client.get(address, headers=bearer(ann) | {"If-None-Match": known.format(etag=etag)})

    assert again.status_code == 304


def test_a_condition_that_does_not_hold_is_a_problem(client, ann, things):
    address, _ = things["order"]

    assert_problem(client.get(address, headers=bearer(ann) | {"If-Match": '"x"'}), 412, "precondition_failed")


@pytest.mark.parametrize(
    ("age", "seconds"),
    [(0, "1"), (19, "1"), (20, "2"), (100, "10"), (300, "30"), (90_000, "30")],
)
def test_what_takes_long_is_asked_for_less_often(rf, age, seconds):
    response = polling.HttpResponse()
    with time_machine.travel(NOW, tick=False):
        polling.look_again(response, NOW - timedelta(seconds=age))

    assert response["Retry-After"] == seconds


def test_what_has_ended_need_not_be_asked_for_again(client, ann):
    order = make_order(customer=ann, status=Status.COMPLETED)

    assert "Retry-After" not in client.get(f"/api/v1/orders/{order.public_id}", headers=bearer(ann))
