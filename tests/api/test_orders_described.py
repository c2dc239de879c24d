"""What the OpenAPI document says of orders: every field that is sent, and every refusal that is given."""

import pytest

from orders.payments.models import RefundState
from orders.states import Status
from proj.urls import api
from tests.api.calls import ORDERS, get
from tests.factories import make_order, make_payment, make_refund, make_user


@pytest.fixture(scope="module")
def document():
    return api.get_openapi_schema()


def operation(document, method, path):
    return document["paths"][path][method]


@pytest.mark.parametrize(
    ("method", "path", "codes"),
    [
        ("get", ORDERS, {200, 401, 422, 429, 500}),
        ("post", ORDERS, {202, 400, 401, 403, 409, 422, 429, 500}),
        ("get", f"{ORDERS}/{{order_id}}", {200, 304, 401, 404, 422, 429, 500}),
        ("post", f"{ORDERS}/{{order_id}}/cancel", {202, 401, 403, 404, 409, 422, 429, 500}),
    ],
)
def test_every_answer_is_described(document, method, path, codes):
    responses = operation(document, method, path)["responses"]

    assert {int(code) for code in responses} == codes
    for code, response in responses.items():
        kind = "application/problem+json" if int(code) >= 400 else "application/json"
        assert list(response.get("content", {})) == ([kind] if code != "304" else [])


def test_cancelling_says_what_happens_to_the_money(document):
    described = operation(document, "post", f"{ORDERS}/{{order_id}}/cancel")

    assert "What was paid is refunded in full" in described["description"]
    assert described["responses"]["409"]["description"].startswith("too_late")


def test_the_states_of_orders_and_refunds_are_listed(document):
    schemas = document["components"]["schemas"]

    assert schemas["Status"]["enum"] == list(Status)
    assert schemas["RefundState"]["enum"] == list(RefundState)
    assert set(schemas["RefundOut"]["required"]) == {"amount", "state", "reason", "created_at"}


@pytest.mark.django_db
def test_no_field_is_sent_that_is_not_described(document, client):
    order = make_order(customer=make_user("ann"), status=Status.COMPLETED)
    make_refund(make_payment(order), 1)

    body = get(client, order.customer, f"{ORDERS}/{order.public_id}").json()

    schemas = document["components"]["schemas"]
    assert set(body) == set(schemas["OrderOut"]["properties"])
    assert set(body["refunds"][0]) == set(schemas["RefundOut"]["properties"])
