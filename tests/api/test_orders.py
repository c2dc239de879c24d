"""Placing orders through the API."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User

from orders.models import Order, Product
from tests.api.calls import ORDERS, assert_problem, bearer, cart, get, post
from tests.factories import make_product, make_user

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
STEPS = ["validate", "reserve_stock", "charge", "fulfil", "notify_customer", "record_sale"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def shopper() -> User:
    return make_user("shopper")


@pytest.fixture
def heart() -> Product:
    return make_product("HEART", name="White hanging heart", amount=255)


@pytest.fixture
def clock() -> Product:
    return make_product("CLOCK", name="Alarm clock", amount=1000)


def test_an_order_is_accepted_and_says_where_to_follow_it(client, shopper, heart, clock):
    response = post(client, shopper, cart(("HEART", 3), ("CLOCK", 1), express=True))

    order = Order.objects.get()
    assert (response.status_code, response["Location"]) == (202, f"{ORDERS}/{order.public_id}")
    assert "Idempotent-Replayed" not in response
    body = response.json()
    assert {name: body[name] for name in ("id", "status", "reason", "express", "amount", "currency")} == {
        "id": str(order.public_id),
        "status": "placed",
        "reason": "",
        "express": True,
        "amount": 1765,
        "currency": "GBP",
    }
    assert body["lines"] == [
        {"sku": "CLOCK", "name": "Alarm clock", "quantity": 1, "amount": 1000},
        {"sku": "HEART", "name": "White hanging heart", "quantity": 3, "amount": 255},
    ]
    assert body["steps"] == [
        {
            "name": name,
            "state": "queued",
            "attempt": 0,
            "started_at": None,
            "finished_at": None,
            "error": None,
        }
        for name in STEPS
    ]
    [event] = body["events"]
    assert abs(datetime.fromisoformat(event["created_at"]) - order.placed_at) < timedelta(seconds=1)
    assert event | {"created_at": None} == {
        "kind": "placed",
        "from_status": None,
        "to_status": "placed",
        "reason": None,
        "created_at": None,
    }
    assert (order.customer, order.payment_method) == (shopper, "pm_card_visa")
    assert get(client, shopper, response["Location"]).json() == body


def test_the_card_can_be_chosen_and_the_same_sku_is_added_up(client, shopper, heart):
    response = post(client, shopper, cart(("HEART", 1), ("HEART", 2), payment_method="pm_card_mastercard"))
    assert [line["quantity"] for line in response.json()["lines"]] == [3]
    assert Order.objects.get().payment_method == "pm_card_mastercard"


def test_the_same_key_and_order_is_answered_with_the_first_order(client, shopper, heart):
    first = post(client, shopper, cart(("HEART", 3)), key="k1")
    again = post(client, shopper, cart(("HEART", 3)), key="k1")
    assert (again.status_code, again["Location"], again.json()) == (202, first["Location"], first.json())
    assert again["Idempotent-Replayed"] == "true"
    assert Order.objects.count() == 1


def test_the_same_key_with_another_order_is_refused(client, shopper, heart):
    post(client, shopper, cart(("HEART", 3)), key="k1")
    response = post(client, shopper, cart(("HEART", 4)), key="k1")
    assert_problem(response, 422, "idempotency_mismatch")
    assert Order.objects.count() == 1


def test_keys_of_different_people_have_nothing_to_do_with_each_other(client, shopper, heart):
    post(client, shopper, cart(("HEART", 3)), key="k1")
    response = post(client, make_user(), cart(("HEART", 4)), key="k1")
    assert response.status_code == 202
    assert Order.objects.count() == 2


@pytest.mark.parametrize("key", ["", "k" * 256, "caf\u00e9"])
def test_a_key_that_is_none_is_refused(client, shopper, heart, key):
    assert_problem(post(client, shopper, cart(("HEART", 3)), key=key), 422, "invalid_idempotency_key")
    assert Order.objects.count() == 0


@pytest.mark.parametrize(
    ("payload", "code", "pointers"),
    [
        (cart(("HEART", 1), ("NONE", 1)), "unknown_product", ["/lines/1/sku"]),
        (cart(("NONE", 1), ("HEART", 1), ("NONE", 2)), "unknown_product", ["/lines/0/sku", "/lines/2/sku"]),
        (
            cart(("HEART", 60_000), ("HEART", 60_000)),
            "invalid_quantity",
            ["/lines/0/quantity", "/lines/1/quantity"],
        ),
        (cart(("HEART", 1), payment_method="card"), "invalid_payment_method", ["/payment_method"]),
        (cart(("EURO", 1), ("HEART", 1)), "mixed_currencies", []),
        (cart(("DEAR", 100_000)), "amount_too_large", []),
    ],
)
@pytest.mark.usefixtures("heart")
def test_what_cannot_be_ordered_is_refused_with_where_and_why(client, shopper, payload, code, pointers):
    make_product("EURO", currency="EUR")
    make_product("DEAR", amount=99_999)
    problem = assert_problem(post(client, shopper, payload), 422, code)
    assert [error["pointer"] for error in problem["errors"]] == pointers
    assert all(error["detail"] == problem["detail"] for error in problem["errors"])
    assert Order.objects.count() == 0


@pytest.mark.parametrize(
    ("payload", "pointer"),
    [
        ({}, "lines"),
        (cart(), "lines"),
        (cart(*[("HEART", 1)] * 2001), "lines"),
        (cart(("HEART", 0)), "lines/0/quantity"),
        (cart(("HEART", -1)), "lines/0/quantity"),
        (cart(("HEART", 100_001)), "lines/0/quantity"),
        (cart(("HEART", 10**30)), "lines/0/quantity"),
        (cart(("HEART", "1")), "lines/0/quantity"),
        (cart(("HEART", 1.5)), "lines/0/quantity"),
        (cart(("HEART", True)), "lines/0/quantity"),
        (cart(("HEART", None)), "lines/0/quantity"),
        (cart(("", 1)), "lines/0/sku"),
        (cart(("s" * 65, 1)), "lines/0/sku"),
        (cart(("HE\x00ART", 1)), "lines/0/sku"),
        (cart((7, 1)), "lines/0/sku"),
        (cart(("HEART", 1), express="yes"), "express"),
        (cart(("HEART", 1), expres=True), "expres"),
        (cart(("HEART", 1), payment_method=None), "payment_method"),
        ({"lines": [{"sku": "HEART", "quantity": 1, "price": 1}]}, "lines/0/price"),
        ({"lines": {"sku": "HEART", "quantity": 1}}, "lines"),
    ],
)
def test_a_body_of_another_shape_is_refused_with_where(client, shopper, heart, payload, pointer):
    problem = assert_problem(post(client, shopper, payload), 422, "invalid")
    assert [error["pointer"].endswith(f"/{pointer}") for error in problem["errors"]] == [True], problem
    assert Order.objects.count() == 0


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"text"', "\x00", '{"lines": NaN}'])
def test_a_body_that_is_no_object_is_refused(client, shopper, body):
    response = client.generic("POST", ORDERS, body, content_type="application/json", headers=bearer(shopper))
    assert response.status_code in {400, 422}, response.content
    assert response["Content-Type"] == "application/problem+json"
    assert Order.objects.count() == 0


@pytest.mark.parametrize(
    ("method", "path"), [("post", ORDERS), ("get", ORDERS), ("get", f"{ORDERS}/{UNKNOWN_ID}")]
)
def test_without_a_token_there_is_nothing(client, heart, method, path):
    response = getattr(client, method)(path, cart(("HEART", 1)), content_type="application/json")
    assert_problem(response, 401, "unauthenticated")
    assert Order.objects.count() == 0
