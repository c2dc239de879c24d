"""How many queries each operation takes: as many as docs/api.md says, however many rows there are."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.signals import request_finished
from django.db import close_old_connections, connection, transaction
from django.test import TestCase
from psycopg import Cursor

from media.models import Avatar
from orders import pipeline
from orders.states import Status
from proj.hooks.endpoints import create_endpoint
from proj.hooks.models import State
from proj.hooks.replaying import ping
from proj.jobs.models import Job
from proj.jobs.models import State as JobState
from proj.jobs.testing import without_broker
from proj.urls import api
from reports import making
from reports.models import Report
from tests.api.calls import bearer
from tests.factories import make_order, make_payment, make_product, make_refund, make_user
from tests.media.pictures import plain

DOCUMENT = api.get_openapi_schema()
TABLE = Path(__file__).parents[2] / "docs" / "api.md"
_ROW = re.compile(r"^\| `(\w+) (/api/v1/\S+)` \| (\d+) \|", re.MULTILINE)
DAY = date(2026, 1, 1)
#: What a transaction is inside that of a test. In production it begins and ends with the connection's own words.
NOT_COUNTED = ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss() -> User:
    return make_user("boss", is_staff=True, is_superuser=True)


@pytest.fixture(params=[1, 7])
def ids(request, boss, settings) -> dict[str, Any]:
    """Ids by the names of parameters, in a world with so many of everything."""
    settings.LIVE_STREAMS = 40
    many = range(request.param)
    make_product("85123A", name="White hanging heart", on_hand=1000)
    for _ in many:
        payment = make_payment(
            make_order({make_product(): 1 for _ in many}, customer=boss, status=Status.COMPLETED)
        )
        for _ in many:
            make_refund(payment, 1)
    order = make_order({make_product(): 1 for _ in many}, customer=boss)
    endpoint, *_ = [create_endpoint(boss, "https://example.com/hooks", ["order.paid"])[0] for _ in many]
    with without_broker():
        pipeline.start(order)
        delivery, *_ = [ping(endpoint) for _ in many]
    endpoint.deliveries.update(state=State.FAILED)
    for _ in many:
        delivery.attempts.create(status=500)
    avatar, *_ = [Avatar.objects.create(owner=boss, upload="x", digest="x", bytes=1) for _ in many]
    report, *_ = [_make_report(boss) for _ in many]
    return {
        "order_id": order.public_id,
        "avatar_id": avatar.public_id,
        "report_id": report.public_id,
        "job_id": Job.objects.get(task="orders.validate_order").pk,
        "endpoint_id": endpoint.public_id,
        "delivery_id": delivery.event_id,
    }


def _make_report(owner: User) -> Report:
    report = Report.objects.create(owner=owner, date_from=DAY, date_to=DAY, progress_total=1)
    making.sum_days(report.pk, DAY, DAY)
    making.write_report(report.pk, lambda *_: None)
    report.refresh_from_db()
    return report


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextmanager
def counted() -> Iterator[list[str]]:
    """Collect the statements that go to the database: Django's, and those that the ledger prepares past it."""
    statements: list[str] = []
    execute, ours = Cursor.execute, connection.connection  # the thread that watches for streams has its own

    def run(cursor, query, *arguments, **options):
        if cursor.connection is ours and not str(query).startswith(NOT_COUNTED):
            statements.append(str(query))
        return execute(cursor, query, *arguments, **options)

    with patch.object(Cursor, "execute", run):
        yield statements


def queries_of(client, boss, method: str, path: str, ids: dict[str, Any]) -> int:
    """Return how many queries an operation takes, with what it does after its transaction. All is undone."""
    described = DOCUMENT["paths"][path][method]
    request: dict[str, Any] = {"headers": bearer(boss), "wsgi.multithread": True}
    if "application/json" in described.get("requestBody", {}).get("content", {}):
        request["content_type"] = "application/json"
        request["data"] = example(described)
    elif "requestBody" in described:
        request["data"] = {"image": SimpleUploadedFile("me.png", plain())}
    if path.endswith("/retry"):
        Job.objects.filter(pk=ids["job_id"]).update(state=JobState.DEAD)
    with counted() as statements, TestCase.captureOnCommitCallbacks(execute=True):
        response = getattr(client, method)(path.format(**ids), **request)
        if response.streaming:
            request_finished.disconnect(close_old_connections)
            response.close()
            request_finished.connect(close_old_connections)
    assert 200 <= response.status_code < 300, (path, response.content)
    return len(statements)


def example(described: dict[str, Any]) -> Any:
    """Return the body that the document shows."""
    schema = described["requestBody"]["content"]["application/json"]["schema"]
    return DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["examples"][0]


def test_every_operation_takes_as_many_queries_as_the_documentation_says_however_many_rows_there_are(
    client, boss, ids
):
    found = {}
    for path, methods in DOCUMENT["paths"].items():
        for method in methods:
            with undone(), without_broker():
                found[method.upper(), path] = queries_of(client, boss, method, path, ids)

    assert found == {(method, path): int(number) for method, path, number in _ROW.findall(TABLE.read_text())}
