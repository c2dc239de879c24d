"""Pictures of every page, in light, in dark and on a phone: `python -m tests.browser.screenshots [NAME ...]`.

They are left in var/screenshots. With `--docs` those that the documentation shows are made anew as well.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import django
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from proj.servers.environment import BASE_DIR
from tests.browser import chromium
from tests.browser.shop import Shop, running_shop
from tests.browser.window import Scheme, open_window

FOLDER = BASE_DIR / "var" / "screenshots"
DOCS = BASE_DIR / "docs" / "images"
#: Of a picture in the documentation: what is below is cut off, and so many colours do for flat areas and text.
HEIGHT, COLOURS = 800, 128


class Look(NamedTuple):
    name: str
    scheme: Scheme
    phone: bool


LOOKS = (Look("light", "light", False), Look("dark", "dark", False), Look("phone", "light", True))
#: page, look -> name of the picture in the documentation.
SHOWN = {
    ("order-completed", "light"): "order",
    ("profile", "light"): "profile",
    ("cart", "phone"): "cart-phone",
    ("admin-dashboard", "light"): "dashboard",
    ("admin-dashboard", "dark"): "dashboard-dark",
    ("admin-job-dead", "light"): "job",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots", description=__doc__)
    parser.add_argument("names", nargs="*", help="pages, all if none is named")
    parser.add_argument("--docs", action="store_true", help=f"write those of {DOCS} too")
    asked = parser.parse_args()
    if chromium.find() is None:
        sys.exit(f"There is no browser: {chromium.LOOKED_FOR}. As root: {chromium.HOW}")
    _read_settings()
    with (
        tempfile.TemporaryDirectory(prefix="shop-", ignore_cleanup_errors=True) as name,
        running_shop(Path(name).resolve()) as shop,
        sync_playwright() as playwright,
    ):
        chrome = playwright.chromium.launch(executable_path=chromium.find(), chromium_sandbox=False)
        taken = take_all(chrome, shop, asked.names)
        chrome.close()
    if asked.docs:
        for shown, picture in SHOWN.items():
            if shown in taken:
                write_small(taken[shown], DOCS / f"{picture}.png")
    print(f"{len(taken)} pictures in {FOLDER}")  # noqa: T201  a command speaks
    return 0


def take_all(chrome: Browser, shop: Shop, names: list[str]) -> dict[tuple[str, str], Path]:
    """Take the pictures; return where each is, by page and look."""
    from tests.browser.pages import ALL, path_of  # noqa: PLC0415  they need the settings
    from tests.browser.scene import set_up  # noqa: PLC0415

    FOLDER.mkdir(parents=True, exist_ok=True)
    taken = {}
    with set_up(shop) as scene:
        for page in ALL:
            path = path_of(page, scene, shop.person("admin")) if not names or page.name in names else ""
            for look in LOOKS if path else ():
                window = open_window(chrome, shop, page.who, scheme=look.scheme, phone=look.phone)
                window.goto(path)
                file = FOLDER / f"{page.name}-{look.name}.png"
                window.screenshot(path=file, full_page=True, animations="disabled")
                window.context.close()
                taken[page.name, look.name] = file
    return taken


def write_small(picture: Path, target: Path) -> None:
    """Write the upper part of a picture in few colours."""
    with Image.open(picture) as image:
        height = min(image.height, HEIGHT * (2 if "phone" in target.name else 1))
        part = image.convert("RGB").crop((0, 0, image.width, height))
        part.quantize(COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


def _read_settings() -> None:
    """Let the admin say which models it has; no server is asked."""
    for name, value in (("DATABASE_URL", "postgres:///none"), ("CELERY_BROKER_URL", "redis:///0")):
        os.environ.setdefault(name, value)
    os.environ.setdefault("SECRET_KEY", "x" * 50)
    os.environ["DJANGO_SETTINGS_MODULE"] = "proj.settings"
    django.setup()


if __name__ == "__main__":
    sys.exit(main())
