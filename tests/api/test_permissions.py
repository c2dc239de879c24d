"""The table of who gets what from every address of the project. A new address needs its lines in the table.

`PERMISSIONS=write pytest -n 0 tests/api/test_permissions.py` writes it anew; then read what `git diff` says of it.
"""

import logging
import os
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.core.management import call_command
from django.urls import path
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from django_celery_results.models import TaskResult

from media.models import Avatar
from orders import pipeline
from orders.payments.models import Incident, Provider
from orders.states import Status
from proj import urls
from proj.api.models import Token
from proj.hooks.endpoints import create_endpoint
from proj.hooks.replaying import ping
from proj.jobs.models import Job
from proj.jobs.testing import without_broker
from reports.models import Report
from tests.api import matrix
from tests.factories import make_order, make_payment, make_refund, make_user

TABLE = Path(__file__).with_name("permissions.txt")
PARTS = 6  # so that processes side by side share the work
HEAD = matrix.line("", "", matrix.ROLES).removesuffix("/")

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]


@pytest.fixture
def people() -> list[User | None]:
    """Somebody in each role. A clerk is staff without a permission; staff are in every group that we make."""
    call_command("ensure_groups", stdout=StringIO())
    staff = make_user("staff", is_staff=True)
    staff.groups.set(Group.objects.all())
    return [
        None,
        make_user("other"),
        make_user("owner"),
        make_user("clerk", is_staff=True),
        staff,
        make_user("boss", is_staff=True, is_superuser=True),
    ]


@pytest.fixture
def known(people) -> dict[str, object]:
    """Things of the owner, by where their ids go: one of each kind that has a page."""
    cache.clear()  # of how often others have tried to sign in
    owner = people[matrix.ROLES.index("owner")]
    order = make_order(customer=owner, status=Status.COMPLETED)
    make_refund(make_payment(order), 1)
    Incident.objects.create(kind="amount_differs", fingerprint="x", summary="x", order=order)
    Provider.objects.create(name="stripe")
    endpoint, _ = create_endpoint(owner, "https://example.com/hooks", ["order.paid"])
    with without_broker():
        pipeline.start(make_order(customer=owner))
        delivery = ping(endpoint)
    job = Job.objects.get(task="orders.validate_order")
    TaskResult.objects.create(task_id="ended", status="SUCCESS", task_name="orders.charge_order")
    avatar = Avatar.objects.create(owner=owner, upload="x", digest="x", bytes=1)
    report = Report.objects.create(owner=owner, date_from="2026-01-01", date_to="2026-01-01")
    schedule = IntervalSchedule.objects.create(every=1, period="days")
    CrontabSchedule.objects.create()
    PeriodicTask.objects.create(name="x", task="reports.clean_up", interval=schedule)
    return {
        "orders/": order.public_id,
        "order_id": order.public_id,
        "avatar_id": avatar.public_id,
        "reports/": report.public_id,
        "report_id": report.public_id,
        "accounts/tokens/": Token.issue(owner)[0].pk,
        "job_id": job.pk,
        "label": f"order:{order.pk}",
        "endpoint_id": endpoint.public_id,
        "delivery_id": delivery.event_id,
        "hooks/": endpoint.public_id,
        "event_id": delivery.event_id,
        "name": "default",
        "content_type_id": 0,
        "object_id": 0,
    }


@pytest.mark.parametrize("part", range(PARTS))
def test_everybody_gets_from_every_address_what_the_table_says(part, people, known, caplog):
    table = TABLE.read_text().splitlines()[1:] if TABLE.exists() else []
    routes = matrix.routes()[part::PARTS]
    expected = {line for line in table if f"/{line.partition('/')[2]}" in {f"/{route}" for route in routes}}

    caplog.set_level(logging.CRITICAL)  # of four thousand requests nobody reads what they log
    sessions = [matrix.session_of(user) for user in people]
    with without_broker():
        found = {
            matrix.line(method, route, [matrix.ask(method, address, session) for session in sessions])
            for route in routes
            for address in [matrix.address(route, known)]
            for method in matrix.methods(route)
        }

    if os.environ.get("PERMISSIONS") == "write":
        write(found, gone=expected)
    else:
        assert sorted(expected - found) == sorted(found - expected) == [], "what it says, and what it is"


def test_the_table_has_no_line_of_an_address_that_is_gone():
    routes = set(matrix.routes())
    assert [line for line in TABLE.read_text().splitlines()[1:] if line.partition("/")[2] not in routes] == []


def test_an_address_without_a_line_is_noticed(monkeypatch):
    monkeypatch.setattr(urls, "urlpatterns", [*urls.urlpatterns, path("quite/new", urls.api_docs)])

    assert "quite/new" in set(matrix._walk(urls.urlpatterns, ""))
    assert not any(line.endswith("/quite/new") for line in TABLE.read_text().splitlines())


def write(found: set[str], gone: set[str]) -> None:
    """Write the table, by address."""
    method = {"GET": 0, "POST": 1, "DELETE": 2}
    lines = {*(TABLE.read_text().splitlines()[1:] if TABLE.exists() else ())} - gone | found
    ordered = sorted(lines, key=lambda line: (line.partition("/")[2], method[line.split()[0]]))
    TABLE.write_text("\n".join([HEAD, *ordered]) + "\n")
