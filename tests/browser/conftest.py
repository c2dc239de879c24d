"""A running shop and a browser for all tests of this folder, which share them and so one process."""

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from proj.servers.environment import BASE_DIR
from tests.browser import chromium
from tests.browser.shop import Shop, running_shop
from tests.browser.skipping import WANTED
from tests.browser.window import open_window

#: What a test left behind in its windows when it failed.
PICTURES = BASE_DIR / "var" / "test" / "browser"
TOGETHER = pytest.mark.xdist_group("browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    found = chromium.find()
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        item.add_marker(TOGETHER)
        item.add_marker(pytest.mark.workers)
        item.add_marker(pytest.mark.timeout(300))
        if found is None:
            item.add_marker(pytest.mark.skip(reason=f"{WANTED}: {chromium.LOOKED_FOR} ({chromium.HOW})"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


FAILED = pytest.StashKey[bool]()


class Premises:
    """Where the shop runs: from the first test that asks for it until the last test of this folder."""

    def __init__(self) -> None:
        self._shop: Shop | None = None
        self._open = ExitStack()

    def shop(self) -> Shop:
        if self._shop is None:
            # Not in pytest's folder: PostgreSQL passes through as another user when root runs the tests.
            folder = tempfile.TemporaryDirectory(prefix="shop-", ignore_cleanup_errors=True)
            path = Path(self._open.enter_context(folder)).resolve()
            self._shop = self._open.enter_context(running_shop(path))
        return self._shop

    def close(self) -> None:
        self._shop = None
        self._open.close()


premises = Premises()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Any:
    yield
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        premises.close()  # a dozen processes would slow the other tests down


@pytest.fixture(scope="module")
def shop() -> Shop:
    return premises.shop()


# For a module and no longer: while Playwright runs, Django takes the whole thread for asynchronous.
@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Its sandbox does not work for root, and need not: it sees no pages but ours.
        browser = playwright.chromium.launch(executable_path=chromium.find(), chromium_sandbox=False)
        yield browser
        browser.close()


@pytest.fixture
def window(request: pytest.FixtureRequest, chrome: Browser, shop: Shop) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a window of a browser of its own, signed in as somebody or nobody.

    See `open_window` for its arguments. Of a test that fails, a picture of each window is kept in `PICTURES`.
    """
    contexts: list[BrowserContext] = []

    def open_one(who: str = "", **options: Any) -> Page:
        page = open_window(chrome, shop, who, **options)
        contexts.append(page.context)
        return page

    yield open_one
    for number, page in enumerate(page for context in contexts for page in context.pages):
        if request.node.stash.get(FAILED, True):
            PICTURES.mkdir(parents=True, exist_ok=True)
            name = re.sub(r"\W+", "-", request.node.name)[:80]
            page.screenshot(path=PICTURES / f"{name}-{number}.png", full_page=True)
    for context in contexts:
        context.close()
