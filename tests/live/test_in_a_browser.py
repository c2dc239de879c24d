"""The page of an order in Chromium: told by events, and by polling where there are none."""

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from playwright.sync_api import Page, expect, sync_playwright

from orders.models import Order
from orders.states import Status
from tests.browser import chromium
from tests.factories import make_order
from tests.live.server import Server
from tests.workers.processes import eventually

pytestmark = pytest.mark.skipif(chromium.find() is None, reason="no browser")


@pytest.fixture
def order(shopper) -> Order:
    return make_order(customer=shopper)


@pytest.fixture
def visit(shopper, order, monkeypatch) -> Iterator[Callable[[Server], Page]]:
    """Open the order's page as the shopper. `page.asked` are the requests since."""
    monkeypatch.setenv(
        "DJANGO_ALLOW_ASYNC_UNSAFE", "1"
    )  # Playwright has a loop in this thread; we await nothing
    client = Client()
    client.force_login(shopper)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), chromium_sandbox=False)

        def open_page(server: Server) -> Page:
            context = browser.new_context()
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": server.url}])
            page = context.new_page()
            page.asked = []
            page.on("request", lambda request: page.asked.append(request.url.removeprefix(server.url)))
            page.goto(server.url + order.get_absolute_url())
            return page

        yield open_page
        browser.close()


def move(order: Order, status: Status) -> None:
    with transaction.atomic():
        order.transition_to(status, actor="system")


def polls(page: Page) -> int:
    return sum("?seen=" in url for url in page.asked)


def streams(page: Page) -> int:
    return sum(url.endswith("/events") for url in page.asked)


def settle(page: Page, seconds: float) -> None:
    page.wait_for_timeout(seconds * 1000)  # lets the page go on; nothing to wait for is the point


def test_the_page_tells_news_at_once_and_asks_only_for_them(serve, visit, order):
    page = visit(serve())
    settle(page, 4)
    before = polls(page)

    settle(page, 4)
    assert polls(page) == before <= 4  # once for the first event, and while the stream was being opened
    move(order, Status.VALIDATED)
    expect(page.locator("#progress .chip").first).to_have_text("Checked", timeout=3000)
    move(order, Status.CANCELLED)
    expect(page.locator("#progress .chip").first).to_have_text("Cancelled", timeout=3000)

    settle(page, 3)
    assert [polls(page), streams(page)] == [before + 2, 1]  # it has ended: neither polls nor comes back


def test_without_streams_the_page_polls(serve, visit, order):
    page = visit(serve(streams=0))
    settle(page, 4)
    assert polls(page) >= 2

    move(order, Status.VALIDATED)

    expect(page.locator("#progress .chip").first).to_have_text("Checked", timeout=5000)
    assert streams(page) == 1


def test_a_server_that_is_killed_is_said_and_then_found_again(serve, visit, order):
    server = serve()
    page = visit(server)
    eventually(lambda: streams(page) or page.wait_for_timeout(100))
    page.context.set_offline(True)
    server.workers()[0].kill()
    expect(page.locator(".messages")).to_contain_text("The connection is lost", timeout=15_000)
    move(order, Status.VALIDATED)

    page.context.set_offline(False)

    expect(page.locator("#progress .chip").first).to_have_text("Checked", timeout=15_000)
    expect(page.locator(".messages")).not_to_contain_text("The connection is lost")
    settle(page, 4)
    before = polls(page)
    settle(page, 4)
    assert polls(page) == before  # a stream again


def test_a_tab_that_nobody_looks_at_holds_no_stream(serve, visit, order):
    server = serve(streams=1)
    page = visit(server)
    eventually(lambda: streams(page) or page.wait_for_timeout(100))
    page.evaluate(
        "() => { Object.defineProperty(document, 'hidden', {configurable: true, get: () => true});"
        " document.dispatchEvent(new Event('visibilitychange')); }"
    )
    other = visit(server)
    settle(other, 4)
    before = polls(other)

    settle(other, 3)

    assert polls(other) == before  # it has the only place
