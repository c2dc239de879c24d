"""Schemathesis asks for whatever the OpenAPI document allows, and some that it does not, and judges the answers by it.

No answer may be a server error or other than described: status, headers, content type, body. What is asked is the same in
each run. A request may follow from an answer before it, as the document's links and Location headers say.
"""

from collections.abc import Iterator
from functools import cache
from itertools import count

import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from media.models import Avatar
from orders import pipeline
from orders.models.order import OrderQuerySet
from orders.states import Status
from proj.api import rate
from proj.hooks.endpoints import create_endpoint
from proj.hooks.replaying import ping
from proj.jobs.models import Job
from proj.jobs.testing import without_broker
from proj.urls import api
from reports.models import Report
from tests.api.calls import bearer
from tests.factories import make_order, make_payment, make_product, make_refund, make_user

EXAMPLES, STEPS = 12, 6  # of an operation; in a story. All together take about half a minute
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
FEW = hypothesis_settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]


@cache
def application():
    """The project as a server calls it; made when the settings of tests hold."""
    return get_wsgi_application()


def call(environ, start_response):
    return application()(environ, start_response)


def document() -> schemathesis.BaseSchema:
    """The API's schema, without streams: they end when their time is over."""
    found = schemathesis.openapi.from_dict(api.get_openapi_schema())
    found.app = call
    return found.exclude(path_regex="/events$")


SCHEMA = document()


@pytest.fixture
def boss() -> User:
    """Somebody who may do everything, and has something of each kind."""
    return make_user("boss", is_staff=True, is_superuser=True)


@pytest.fixture
def ids(boss, monkeypatch) -> Iterator[dict[str, list[str]]]:
    """Ids that there are, by the parameter that takes them."""
    monkeypatch.setattr(rate, "count", lambda _request: None)
    # A request would end the connection, and with it the test's transaction; Django's own test client does the same.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    make_product("85123A", name="White hanging heart")
    orders = [make_order(customer=boss, status=status) for status in (Status.PLACED, Status.COMPLETED)]
    make_refund(make_payment(orders[1]), 1)
    endpoint, _ = create_endpoint(boss, "https://example.com/hooks", ["order.paid"])
    with without_broker():
        pipeline.start(orders[0])
        delivery = ping(endpoint)
    avatar = Avatar.objects.create(owner=boss, upload="x", digest="x", bytes=1)
    report = Report.objects.create(owner=boss, date_from="2026-01-01", date_to="2026-01-01")
    yield {
        "endpoint_id": [str(endpoint.public_id)],
        "delivery_id": [delivery.event_id],
        "order_id": [str(order.public_id) for order in orders],
        "avatar_id": [str(avatar.public_id)],
        "report_id": [str(report.public_id)],
        "job_id": [job.pk for job in Job.objects.all()],
    }
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def ask(boss, ids):
    """Return a function that asks as the boss, every other time about something that there is, and judges the answer."""
    headers = bearer(boss)
    turns = count()

    def ask(case) -> None:
        if next(turns) % 2:
            for name in ids.keys() & (case.path_parameters or {}).keys():
                case.path_parameters[name] = ids[name][next(turns) % len(ids[name])]
        with without_broker():
            case.call_and_validate(headers=headers, checks=CHECKS)

    return ask


@SCHEMA.parametrize()
@FEW
def test_every_answer_is_as_described(case, ask):
    ask(case)


def test_what_follows_from_an_answer_is_as_described(boss, ids):
    headers = bearer(boss)

    class Story(SCHEMA.as_state_machine()):
        def get_call_kwargs(self, case):  # noqa: ARG002  its name is schemathesis'
            return {"headers": headers}

        def validate_response(self, response, case, **_):
            case.validate_response(response, checks=CHECKS)

    with without_broker():
        Story.run(settings=FEW)


def test_an_answer_other_than_described_is_noticed(ids, boss, monkeypatch):
    operation = SCHEMA["/api/v1/orders"]["GET"]
    monkeypatch.setattr(OrderQuerySet, "prefetch_related", lambda *_: 1 / 0)

    with pytest.raises(FailureGroup):
        operation.Case().call_and_validate(headers=bearer(boss), checks=CHECKS)
