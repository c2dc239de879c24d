from http import HTTPStatus

import pytest

from orders.models import CartLine
from tests.factories import make_product

ADD = "/cart/add/"


def test_everybody_may_look(client, mug):
    page = client.get("/")

    assert page.status_code == HTTPStatus.OK
    assert "Blue mug" in page.text
    assert "£4.50" in page.text
    assert "In stock" in page.text


def test_a_page_has_24_products_and_the_next_has_the_rest(client, db):
    for number in range(30):
        make_product(f"P{number:02}", name=f"Thing {number:02}")

    first, second = client.get("/"), client.get("/?page=2")

    assert first.text.count('<li class="card product">') == 24
    assert second.text.count('<li class="card product">') == 6
    assert "Page 1 of 2" in first.text
    assert 'rel="next" href="?page=2"' in first.text


def test_search_finds_every_word_in_any_order_and_the_beginning_of_a_number(client, mug):
    make_product("PLATE", name="Blue plate")

    assert [name in client.get("/?q=mug+blue").text for name in ("Blue mug", "Blue plate")] == [True, False]
    assert [name in client.get("/?q=pla").text for name in ("Blue mug", "Blue plate")] == [False, True]
    assert "Nothing we sell is called that." in client.get("/?q=green").text


@pytest.mark.parametrize(
    "query", ["q=%00", "q=%25", "q=" + "x" * 101, "page=-1", "page=x", "page=99999999999999"]
)
def test_odd_questions_get_a_page(client, mug, query):
    assert client.get(f"/?{query}").status_code == HTTPStatus.OK


def test_paging_keeps_the_search(client, db):
    for _ in range(25):
        make_product(name="Red & round")

    assert 'href="?q=red+%26&amp;page=2"' in client.get("/?q=red+%26").text


@pytest.mark.parametrize(
    ("on_hand", "words"), [(0, "Sold out"), (1, "Only 1 left"), (5, "Only 5 left"), (6, "In stock")]
)
def test_availability_is_said_in_words(client, db, on_hand, words):
    make_product(on_hand=on_hand)

    assert f">{words}</span>" in client.get("/").text


def test_what_is_sold_out_or_no_longer_sold_cannot_be_added_from_the_page(client, db):
    make_product(on_hand=0)
    make_product(name="Withdrawn", active=False)

    page = client.get("/")

    assert "Add to cart" not in page.text
    assert "Withdrawn" not in page.text


def test_adding_asks_to_sign_in_and_comes_back_to_the_same_page(client, mug):
    response = client.post(ADD, {"sku": "MUG", "quantity": 1, "back": "/?q=mug&page=2"})

    assert response.status_code == HTTPStatus.FOUND
    assert response["Location"] == "/accounts/login/?next=/%3Fq%3Dmug%26page%3D2"
    assert CartLine.objects.count() == 0


def test_a_fragment_is_never_the_sign_in_page(client, mug):
    response = client.post(ADD, {"sku": "MUG", "quantity": 1}, headers={"hx-request": "true"})

    assert (response.status_code, response.content) == (HTTPStatus.OK, b"")
    assert response["HX-Redirect"] == "/accounts/login/?next=/"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_the_way_back_never_leads_elsewhere(browser, mug, elsewhere):
    response = browser.post(ADD, {"sku": "MUG", "quantity": 1, "back": elsewhere})

    assert response["Location"] == "/"


def test_adding_twice_adds_up_and_the_header_counts(browser, mug):
    browser.post(ADD, {"sku": "MUG", "quantity": 1})
    page = browser.post(ADD, {"sku": "MUG", "quantity": 2}, follow=True)

    assert CartLine.objects.get().quantity == 3
    assert "Blue mug is in your cart." in page.text
    assert '<span class="count" id="cart-count">3<' in page.text


def test_adding_by_htmx_answers_with_the_form_and_the_count(browser, mug):
    response = browser.post(ADD, {"sku": "MUG", "quantity": 2}, headers={"hx-request": "true"})

    assert "2 in cart" in response.text
    assert '<span class="count" id="cart-count" hx-swap-oob="true">2<' in response.text
    assert "<html" not in response.text


def test_a_cart_line_stops_at_999(browser, mug):
    for _ in range(2):
        browser.post(ADD, {"sku": "MUG", "quantity": 999})

    assert CartLine.objects.get().quantity == 999


@pytest.mark.parametrize(
    ("sku", "quantity", "message"),
    [
        ("MUG", "0", "greater than or equal to 1"),
        ("MUG", "-3", "greater than or equal to 1"),
        ("MUG", "1000", "less than or equal to 999"),
        ("MUG", "two", "Enter a whole number."),
        ("MUG", "", "This field is required."),
        ("NONE", "1", "this is no longer sold"),
        ("M\x00UG", "1", "Null characters are not allowed."),
    ],
)
def test_what_cannot_be_added_is_said_and_nothing_is_added(browser, mug, sku, quantity, message):
    page = browser.post(ADD, {"sku": sku, "quantity": quantity}, follow=True)

    assert "Nothing was added" in page.text
    assert message in page.text
    assert CartLine.objects.count() == 0
