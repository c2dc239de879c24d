"""Everything a shopper needs works without JavaScript, and on a phone."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.scene import PICTURE
from tests.browser.shopping import fill_the_cart, place_the_order, sign_up

DONE = "All done. Thank you for your order."


def test_from_signing_up_to_the_goods_without_javascript(window):
    page = window(javascript=False)
    sign_up(page)
    page.goto("/")
    page.get_by_role("button", name="Add to cart").first.click()
    expect(page.get_by_role("status")).to_contain_text("cart")
    place_the_order(page)

    # The page asks for itself every other second until there is nothing more to say.
    expect(page.locator("#progress")).to_contain_text(DONE)
    assert page.locator("#progress ol > li").filter(has_text="Done").count() == 6
    assert page.locator("noscript").count() == 0


def test_a_picture_without_javascript(window):
    page = window(javascript=False)
    sign_up(page)
    page.goto("/profile/")
    page.locator("input[type=file]").set_input_files(PICTURE)
    page.get_by_role("button", name=re.compile("^(Upload|Use)")).click()

    expect(page.locator("#thumbnails img")).to_have_count(5)


def test_from_signing_up_to_the_goods_on_a_phone_without_scrolling_sideways(window):
    page = window(phone=True)
    sign_up(page)
    fill_the_cart(page, 1)
    place_the_order(page)
    expect(page.locator("#progress")).to_contain_text(DONE)

    for path in (page.url, "/", "/cart/", "/orders/", "/profile/", "/accounts/"):
        page.goto(path)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert (path, wide) == (path, 0)


@pytest.mark.parametrize("name", ["Sign out", "Search"])
def test_what_is_touched_is_large_enough_for_a_thumb(window, name):
    page = window("shopper", phone=True)
    page.goto("/")
    box = page.get_by_role("button", name=name).bounding_box()

    assert box
    assert min(box["width"], box["height"]) >= 24  # WCAG 2.2, 2.5.8


def test_the_whole_way_to_an_order_by_keyboard(window):
    page = window("shopper")
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("button", name=re.compile("Add to cart|in cart")).first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=re.compile("in cart")).first).to_be_visible()
    page.goto("/cart/")
    page.get_by_role("button", name="Place the order").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Progress")).to_be_visible()
