"""The page of an order in Chromium: told by events, and by polling where there are none."""

from collections.abc import Callable, Iterator
from http import HTTPStatus

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from playwright.sync_api import Page, Response, expect, sync_playwright

from orders.models import Order
from orders.states import Status
from tests.browser import chromium
from tests.factories import make_order
from tests.live.server import Server
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(chromium.find() is None, reason="no browser")
#: Milliseconds for anything to appear: half a second, where the machine is not busy.
PATIENCE = 15_000


@pytest.fixture
def order(shopper) -> Order:
    return make_order(customer=shopper)


@pytest.fixture
def visit(shopper, order, monkeypatch) -> Iterator[Callable[[Server], Page]]:
    """Open the order's page as the shopper. `page.asked` are the requests since, `page.streams` how those for streams ended."""
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
            page.asked, page.streams = [], []
            page.on("request", lambda request: page.asked.append(request.url.removeprefix(server.url)))
            page.on("response", lambda answer: is_stream(answer) and page.streams.append(answer.status))
            page.goto(server.url + order.get_absolute_url())
            return page

        yield open_page
        browser.close()


def move(order: Order, status: Status) -> None:
    with transaction.atomic():
        order.transition_to(status, actor="system")


def polls(page: Page) -> int:
    return sum("?seen=" in url for url in page.asked)


def is_stream(answer: Response) -> bool:
    return answer.url.endswith("/events")


def settle(page: Page, seconds: float) -> None:
    page.wait_for_timeout(seconds * 1000)  # lets the page go on; nothing to wait for is the point


def falls_quiet(page: Page) -> bool:
    """Whether the page asks nothing for four seconds: one that polls would have four times."""
    before = polls(page)
    settle(page, 4)
    return polls(page) == before


def is_given_a_stream(page: Page) -> bool:
    """Load the page anew; tell whether the server had a place for its stream."""
    with page.expect_response(is_stream) as asked:
        page.reload()
    return asked.value.status == HTTPStatus.OK


def test_the_page_tells_news_at_once_and_asks_only_for_them(serve, visit, order):
    page = visit(serve())
    eventually(lambda: falls_quiet(page))  # once the stream is open, and has told its first event
    before = polls(page)

    move(order, Status.VALIDATED)
    expect(page.locator("#progress .chip").first).to_have_text("Checked", timeout=PATIENCE)
    move(order, Status.CANCELLED)
    expect(page.locator("#progress .chip").first).to_have_text("Cancelled", timeout=PATIENCE)

    settle(page, 3)
    assert [polls(page), len(page.streams)] == [before + 2, 1]  # it has ended: neither polls nor comes back


def test_without_streams_the_page_polls(serve, visit, order):
    page = visit(serve(streams=0))
    eventually(lambda: polls(page) >= 2 or settle(page, 0.1))

    move(order, Status.VALIDATED)

    expect(page.locator("#progress .chip").first).to_have_text("Checked", timeout=PATIENCE)
    assert page.streams == [HTTPStatus.SERVICE_UNAVAILABLE]


def test_a_server_that_is_killed_is_said_and_then_found_again(serve, visit, order):
    server = serve()
    page = visit(server)
    eventually(lambda: page.streams or settle(page, 0.1))
    page.context.set_offline(True)
    server.workers()[0].kill()
    expect(page.locator(".messages")).to_contain_text("The connection is lost", timeout=PATIENCE)
    move(order, Status.VALIDATED)

    page.context.set_offline(False)

    expect(page.locator("#progress .chip").first).to_have_text("Checked", timeout=PATIENCE)
    expect(page.locator(".messages")).not_to_contain_text("The connection is lost")
    eventually(lambda: falls_quiet(page))  # a stream again


def test_a_tab_that_nobody_looks_at_holds_no_stream(serve, visit, order):
    server = serve(streams=1)
    page = visit(server)
    eventually(lambda: page.streams or settle(page, 0.1))
    other = visit(server)
    eventually(lambda: other.streams or settle(other, 0.1))
    assert (page.streams, other.streams) == ([HTTPStatus.OK], [HTTPStatus.SERVICE_UNAVAILABLE])

    page.evaluate(
        "() => { Object.defineProperty(document, 'hidden', {configurable: true, get: () => true});"
        " document.dispatchEvent(new Event('visibilitychange')); }"
    )

    eventually(lambda: is_given_a_stream(other))  # half a second later: its only place is free
    eventually(lambda: falls_quiet(other))
