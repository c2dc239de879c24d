"""What shoppers do again and again, in a window."""

import uuid

from playwright.sync_api import Page, expect

from tests.browser.window import PATIENCE

expect.set_options(timeout=PATIENCE)


def sign_up(page: Page) -> str:
    """Make an account, from the first page; return its address."""
    address = f"{uuid.uuid4().hex[:12]}@example.com"
    page.goto("/")
    page.get_by_role("link", name="Sign in").click()
    page.get_by_role("link", name="Create an account").click()
    page.get_by_label("E-mail address").fill(address)
    page.get_by_label("Password").fill(uuid.uuid4().hex)
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return address


def fill_the_cart(page: Page, products: int = 2) -> None:
    page.goto("/")
    for number in range(products):
        page.get_by_role("button", name="Add to cart").first.click()
        expect(page.get_by_role("button", name="1 in cart")).to_have_count(number + 1)


def place_the_order(page: Page, card: str = "4242") -> None:
    page.goto("/cart/")
    page.get_by_label(f"ending in {card}").check()
    page.get_by_role("button", name="Place the order").click()
    expect(page.get_by_role("heading", name="Progress")).to_be_visible()
