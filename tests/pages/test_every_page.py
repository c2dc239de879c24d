"""What holds for every page: its markup, its headers, its weight, its queries, its forms."""

import gzip
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from django.views import defaults

from orders.carts import add_to_cart
from orders.models import Order
from tests.factories import PASSWORD, make_order, make_product
from tests.pages.markup import Markup

# Path and how many queries it may take, with a customer of 46 orders and a cart of 40 lines.
PAGES = [
    ("/", 7),
    ("/?q=product&page=2", 7),
    ("/cart/", 6),
    ("/orders/", 8),
    ("{order}", 10),
    ("{order}cancel/", 7),
    ("/profile/", 6),
    ("/accounts/login/", 0),
]
# What a page loads beyond what all do.
SCRIPTS = {"/profile/": ["/static/js/avatar.js"]}
ERROR_PAGES = ["400.html", "403.html", "403_csrf.html", "404.html", "500.html"]
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onfocus='alert(1)' autofocus='",
    "{{ 7|add:7 }}{% load x %}",
    "</title></textarea></template>",
    "javascript:alert(1)//",
    "&lt;b&gt; &amp; \N{RIGHT-TO-LEFT OVERRIDE}txt.exe \N{PILE OF POO}",
]


@pytest.fixture
def visit(browser: Client, busy: Order) -> Callable[[str], HttpResponse]:
    """Return a function that opens a page as the shopper, or as nobody if it is the sign-in page."""

    def open_page(path: str) -> HttpResponse:
        visitor = Client() if path.startswith("/accounts/") else browser
        return visitor.get(path.format(order=busy.get_absolute_url()))

    return open_page


@pytest.mark.parametrize(("path", "queries"), PAGES)
def test_a_page_takes_few_queries_however_many_rows(visit, path, queries, django_assert_num_queries):
    with django_assert_num_queries(queries):
        visit(path)


def test_following_an_order_takes_few_queries(browser, busy, django_assert_num_queries):
    headers = {"hx-request": "true"}
    seen = browser.get(busy.get_absolute_url(), headers=headers).context["timeline"].seen

    with django_assert_num_queries(7):  # session, user, order, steps, payments, refunds, what is paused
        browser.get(f"{busy.get_absolute_url()}?seen={seen}", headers=headers)


@pytest.mark.parametrize("path", [path for path, _ in PAGES])
def test_the_markup_is_clean_and_loads_nothing_from_elsewhere(visit, path):
    page = Markup(visit(path).text)

    assert page.faults == []
    assert page.loads == [
        "/static/favicon.svg",
        "/static/css/site.css",
        "/static/django_htmx/htmx-2.min.js",
        "/static/js/live.js",
        *SCRIPTS.get(path, []),
        "/static/favicon.svg",
    ]


@pytest.mark.parametrize("path", [path for path, _ in PAGES])
def test_a_page_and_all_it_loads_weigh_less_than_100_kb(visit, path):
    page = visit(path)
    files = {finders.find(url.removeprefix("/static/")) for url in Markup(page.text).loads}
    loaded = sum(len(gzip.compress(Path(file).read_bytes())) for file in files)  # as whitenoise sends them

    assert len(page.content) + loaded < 100_000


@pytest.mark.parametrize("path", [path for path, _ in PAGES])
def test_the_policy_allows_neither_inline_code_nor_other_hosts(visit, path):
    policy = visit(path)["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-" not in policy
    assert "http:" not in policy


def test_static_files_are_there(client):
    for url in Markup(client.get("/accounts/login/").text).loads:
        response = client.get(url)
        assert response.status_code == HTTPStatus.OK
        assert len(response.getvalue()) > 0


@pytest.mark.parametrize(
    "path",
    [
        "/cart/add/",
        "/cart/change/",
        "/cart/checkout/",
        "{order}cancel/",
        "/accounts/login/",
        "/accounts/logout/",
    ],
)
def test_a_form_from_another_site_changes_nothing(shopper, order, mug, path):
    add_to_cart(shopper, mug, 1)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(shopper)

    response = strict.post(path.format(order=order.get_absolute_url()), {"sku": "MUG", "quantity": 9})

    assert response.status_code == HTTPStatus.FORBIDDEN
    assert "That form had expired" in response.text
    order.refresh_from_db()
    assert order.status == "placed"
    assert shopper.cart.lines.get().quantity == 1
    assert strict.get("/orders/").status_code == HTTPStatus.OK


@pytest.mark.parametrize("name", HOSTILE)
def test_the_name_of_a_product_is_only_ever_text(browser, shopper, name):
    order = make_order({make_product("X", name=name): 1}, customer=shopper)
    added = browser.post("/cart/add/", {"sku": "X", "quantity": 1}, headers={"hx-request": "true"})
    pages = [browser.get(path) for path in ("/", "/cart/", "/orders/", order.get_absolute_url())]

    for markup in [Markup(page.text) for page in (added, *pages)]:
        assert name in markup.text
        assert markup.faults == []


def test_a_search_is_only_ever_text(browser):
    page = browser.get("/", {"q": '"><script>alert(1)</script>'}).text

    assert Markup(page).faults == []
    assert "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.mark.parametrize("template", ERROR_PAGES)
def test_error_pages_need_neither_a_database_nor_a_context(template, rf):
    page = render_to_string(template)

    assert Markup(page).faults == []
    assert "Corner Shop" in page


def test_a_server_error_has_a_page(rf):
    response = defaults.server_error(rf.get("/"))

    assert response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    assert b"Something went wrong on our side" in response.content


def test_an_address_that_is_nowhere_has_a_page(client, settings):
    response = client.get("/nowhere/")

    assert response.status_code == HTTPStatus.NOT_FOUND
    assert "There is no such page" in response.text


def test_signing_in_leads_back_and_signing_out_leads_to_the_shop(client, shopper):
    answer = client.post(
        "/accounts/login/?next=/cart/", {"username": "shopper", "password": PASSWORD, "next": "/cart/"}
    )
    assert (answer.status_code, answer["Location"]) == (HTTPStatus.FOUND, "/cart/")

    answer = client.post("/accounts/logout/")
    assert (answer.status_code, answer["Location"]) == (HTTPStatus.FOUND, reverse("orders:catalogue"))
    assert client.get("/orders/").status_code == HTTPStatus.FOUND


def test_a_wrong_password_says_so_and_does_not_say_which_half_was_wrong(client, shopper):
    page = client.post("/accounts/login/", {"username": "shopper", "password": "wrong"})

    assert page.status_code == HTTPStatus.OK
    assert "We know nobody by that name and password." in page.text
    assert Markup(page.text).faults == []


def test_signing_in_never_leads_elsewhere(client, shopper):
    fields = {"username": "shopper", "password": PASSWORD, "next": "https://evil.example/"}

    assert client.post("/accounts/login/", fields)["Location"] == "/"
