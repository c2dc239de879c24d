"""What a shopper does, from the first page to the goods, as a shopper does it."""

import re

from playwright.sync_api import expect

from tests.browser.shopping import fill_the_cart, place_the_order, sign_up
from tests.browser.window import Complaints

STEPS = [
    "Check the order",
    "Set the goods aside",
    "Charge the card",
    "Pack and send",
    "Write to you",
    "Enter the sale in the books",
]


def test_from_signing_up_to_the_goods_with_every_step_shown_and_no_click_on_the_way(window, shop):
    page = window()
    complaints = Complaints(page, shop.url)
    sign_up(page)
    fill_the_cart(page)
    place_the_order(page)

    expect(page.locator("#progress")).to_contain_text("All done. Thank you for your order.")

    expect(page).to_have_title(re.compile("^Completed: order "))
    steps = page.locator("#progress ol > li")
    assert steps.count() == 6
    for step, title in zip(steps.all(), STEPS, strict=True):
        expect(step).to_contain_text(title)
        expect(step).to_contain_text("Done")
        expect(step).to_contain_text("took")
    page.get_by_role("link", name="Orders", exact=True).click()
    expect(page.get_by_role("row").filter(has_text="Completed")).to_have_count(1)
    assert complaints == []


def test_a_card_that_is_declined_ends_the_order_in_words(window):
    page = window("shopper")
    fill_the_cart(page, 1)
    place_the_order(page, card="9995")

    expect(page.locator("#progress")).to_contain_text("Your card has insufficient funds.")
    expect(page.locator("#progress")).to_contain_text("You have not been charged.")
    expect(page.locator("#progress")).to_contain_text("Payment failed")
