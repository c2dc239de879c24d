"""One look at a page: what it weighs, asks for and says, and what axe says about it in light and in dark."""

from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Browser, Page, Request

from tests.browser.counting import queries_of
from tests.browser.shop import Shop
from tests.browser.window import PHONE, Complaints, open_window

AXE = AXE_FILE_PATH.read_text(encoding="utf-8")
#: In dark only the colours are other ones.
EVERYTHING: dict[str, Any] = {"resultTypes": ["violations"]}
ONLY_COLOURS = EVERYTHING | {"runOnly": ["color-contrast", "link-in-text-block"]}
#: What Django's own templates of the admin have: (rule of axe, part of the element). It is theirs to mend; a new version that
#: does is noticed when the lines are taken out. Dates with a time are two fields under one label.
DJANGOS = (
    ("label-title-only", 'id="searchbar"'),
    ("empty-table-header", '<th class="original">'),
    ("empty-table-header", "<th></th>"),
    ("aria-prohibited-attr", 'class="help-tooltip search-label-icon"'),
    ("label", 'class="vDateField"'),
    ("label", 'class="vTimeField"'),
)
#: Two frames: what scripts do when a page is ready has been done, and shown. Then colours are no longer on their way to others.
SETTLED = """async () => {
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  const fading = document.getAnimations().filter(each => each instanceof CSSTransition);
  await Promise.allSettled(fading.map(each => each.finished));
}"""


@dataclass
class Look:
    name: str
    path: str
    status: int = 0
    weight: int = 0  # bytes, as sent, headers and all that the page loads included
    requests: int = 0
    queries: int = 0
    milliseconds: float = 0  # from asking until the first byte
    shift: float = 0  # how far things jumped, as the browser reckons: https://web.dev/articles/cls
    overflow: int = 0  # pixels that a phone would have to be scrolled sideways
    complaints: list[str] = field(default_factory=list)
    light: list[str] = field(default_factory=list)
    dark: list[str] = field(default_factory=list)


def look_at(chrome: Browser, shop: Shop, name: str, who: str, path: str) -> Look:
    """Open a page with nothing cached, and look at it."""
    page = open_window(chrome, shop, who)
    try:
        return _look(page, shop, Look(name, path))
    finally:
        page.context.close()


def _look(page: Page, shop: Shop, look: Look) -> Look:
    complaints, finished = Complaints(page, shop.url), list[Request]()
    page.on("requestfinished", lambda request: finished.append(request))  # noqa: PLW0108  Playwright takes no builtin
    answer = page.goto(look.path)
    assert answer
    page.evaluate(SETTLED)
    assert page.url == f"{shop.url}{look.path}", f"{look.path} led to {page.url}"
    look.status, look.queries = answer.status, queries_of(answer.headers)
    timing = answer.request.timing
    look.milliseconds = timing["responseStart"] - timing["requestStart"]
    sizes = [request.sizes() for request in finished if request.url.startswith(shop.url)]
    look.requests = len(sizes)
    look.weight = sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)
    # Before axe, which reads style sheets in a way that the policy complains about.
    watched = page.evaluate("window.watched")
    # The browser says by itself that an address was answered with an error.
    expected = f"status of {look.status} " if look.status >= 400 else "\0"
    look.complaints = [*(each for each in complaints if expected not in each), *watched["violations"]]
    look.shift = watched["shift"]
    page.evaluate(AXE)
    look.light = _judge(page, EVERYTHING)
    page.emulate_media(color_scheme="dark")
    page.evaluate(SETTLED)
    look.dark = _judge(page, ONLY_COLOURS)
    page.set_viewport_size(PHONE)
    look.overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return look


def _judge(page: Page, options: dict[str, Any]) -> list[str]:
    """Return what axe finds wrong, a line for each element."""
    found = page.evaluate("options => axe.run(document, options)", options)
    ours = page.url.partition("/admin/")[1] == ""
    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:160]}"
        for violation in found["violations"]
        for node in violation["nodes"]
        if ours or not any(violation["id"] == rule and part in node["html"] for rule, part in DJANGOS)
    ]
