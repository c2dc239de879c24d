"""The products of the API, as an outside client sees them."""

import base64

import pytest

from tests.factories import make_product

LIST = "/api/v1/products"

pytestmark = pytest.mark.django_db


def skus(response) -> list[str]:
    assert response.status_code == 200, response.content
    return [item["sku"] for item in response.json()["items"]]


def test_a_product_has_its_price_and_what_can_be_ordered_now(client):
    make_product("85123A", name="WHITE HANGING HEART", amount=255, on_hand=10, reserved=3)
    response = client.get(LIST)
    assert response.json() == {
        "items": [
            {"sku": "85123A", "name": "WHITE HANGING HEART", "amount": 255, "currency": "GBP", "available": 7}
        ],
        "next": None,
    }


def test_products_are_listed_by_sku_and_only_those_on_sale(client):
    for sku in ("B", "C", "A"):
        make_product(sku)
    make_product("GONE", active=False)
    assert skus(client.get(LIST)) == ["A", "B", "C"]


def test_pages_follow_each_other_without_gaps(client):
    for number in range(7):
        make_product(f"P{number}")
    seen, cursor = [], None
    for _ in range(3):
        page = client.get(LIST, {"limit": 3, **({"cursor": cursor} if cursor else {})})
        seen += skus(page)
        cursor = page.json()["next"]
    assert (seen, cursor) == ([f"P{number}" for number in range(7)], None)


@pytest.mark.parametrize(
    ("q", "found"),
    [("heart", ["H1"]), ("HEART", ["H1"]), ("h1", ["H1"]), ("%", []), ("zebra", []), ("", ["A1", "H1"])],
)
def test_products_are_found_by_name_or_sku(client, q, found):
    make_product("H1", name="White hanging heart")
    make_product("A1", name="Alarm clock")
    assert skus(client.get(LIST, {"q": q})) == found


def test_a_list_costs_one_query_however_long_it_is(client, django_assert_num_queries):
    for _ in range(30):
        make_product()
    with django_assert_num_queries(1):
        assert len(skus(client.get(LIST))) == 30


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "nonsense!"},
        {"q": "a\x00b"},
        {"q": "x" * 101},
        {"limit": "many"},
    ],
)
def test_a_query_that_makes_no_sense_is_refused(client, query):
    response = client.get(LIST, query)
    assert (response.status_code, response["Content-Type"]) == (422, "application/problem+json")
    assert response.json()["code"] in {"invalid", "bad_cursor"}


def test_a_cursor_with_a_nul_in_it_does_no_harm(client):
    make_product("B")
    assert skus(client.get(LIST, {"cursor": base64.urlsafe_b64encode(b"A\x00").decode()})) == ["B"]
