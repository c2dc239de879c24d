"""A window of a browser that remembers everything that a page should not have done."""

from typing import Any, Literal

from playwright.sync_api import Browser, Page, Request

from tests.browser.shop import Shop

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 375, "height": 740}
Scheme = Literal["light", "dark"]
#: Milliseconds for anything to appear: the work behind it takes a second or two, and the machine may be busy.
PATIENCE = 30_000

#: Notes, in the page, what happens before any script of a test could listen.
WATCH = """
  window.watched = {violations: [], shift: 0};
  document.addEventListener("securitypolicyviolation", (event) => {
    window.watched.violations.push(`${event.violatedDirective}: ${event.blockedURI}`);
  });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.watched.shift += entry.value;
  }).observe({type: "layout-shift", buffered: true});
"""


class Complaints(list[str]):
    """What went wrong in a window so far: errors on the console, errors of scripts, requests to other hosts."""

    def __init__(self, page: Page, url: str) -> None:
        super().__init__()
        self._url = url
        page.on("console", lambda message: self.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.append(str(error)))
        page.on("request", self._check)

    def _check(self, request: Request) -> None:
        if not request.url.startswith((f"{self._url}/", "data:", "blob:")):
            self.append(f"a request to {request.url}")


def open_window(
    chrome: Browser,
    shop: Shop,
    who: str = "",
    *,
    phone: bool = False,
    scheme: Scheme = "light",
    javascript: bool = True,
    **options: Any,
) -> Page:
    """Open a window of a fresh browser: nothing cached, no cookies but those of the person.

    Args:
        chrome: the browser.
        shop: where the window's addresses start.
        who: "shopper", "staff" or "admin"; nobody is signed in if empty.
        phone: small, touched, and with two pixels for one.
        scheme: what the person likes, light or dark.
        javascript: whether scripts run.
        options: anything else that Playwright's `new_context` takes.

    """
    context = chrome.new_context(
        base_url=shop.url,
        viewport=PHONE if phone else DESKTOP,
        has_touch=phone,
        is_mobile=phone,
        color_scheme=scheme,
        java_script_enabled=javascript,
        locale="en-GB",
        timezone_id="UTC",
        **options,
    )
    context.set_default_timeout(PATIENCE)
    if who:
        context.add_cookies(shop.person(who).cookies)
    context.add_init_script(WATCH)
    return context.new_page()
