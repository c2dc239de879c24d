"""What the shopper sees when an order is called off, or money is given back."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.scene import ENDS, ORDER, in_stock
from tests.browser.test_trouble import let_go_of, order_held_at_its_payment
from tests.waiting import eventually


def test_an_order_is_cancelled_after_a_question_and_the_page_says_what_becomes_of_the_money(window, shop):
    page = window("shopper")
    order_held_at_its_payment(page, shop)
    try:
        page.get_by_role("link", name="Cancel this order").click()
        expect(page.locator("main")).to_contain_text("You have not been charged.")
        page.get_by_role("button", name="Yes, cancel it").click()

        expect(page.locator("#progress")).to_contain_text(
            "This order is cancelled. You have not been charged."
        )
    finally:
        let_go_of(shop, "io")


def test_too_late_is_said_as_it_is(window, shop):
    shopper = shop.person("shopper")
    order = shopper.order({in_stock(shopper)[0]: 1})
    eventually(lambda: shopper.status_of(order) in ENDS)
    page = window("shopper")
    page.goto(f"/orders/{order}/cancel/")

    expect(page.get_by_role("heading", name="Too late to cancel")).to_be_visible()


@pytest.mark.parametrize(("amount", "told"), [("1.00", "£1.00"), ("", "")])
def test_money_that_staff_give_back_is_on_the_page_of_the_shopper_who_watches(window, shop, amount, told):
    shopper = shop.person("shopper")
    order = shopper.order({in_stock(shopper)[1]: 2})
    eventually(lambda: shopper.status_of(order) in ENDS)
    found = ORDER.search(shop.person("admin").get(f"/admin/orders/order/?q={order}").text)
    assert found
    desk = window("admin")
    desk.goto(f"/admin/orders/order/{found[1]}/change/")
    desk.get_by_role("link", name=re.compile("money back|Refund", re.IGNORECASE)).first.click()
    if amount:
        desk.get_by_label("Amount").fill(amount)
    desk.get_by_label("Reason").fill("It came with a scratch.")
    desk.get_by_role("button", name="Continue").click()
    desk.get_by_role("button", name=re.compile("^Yes, give ")).click()
    expect(desk.locator("#refunds")).to_contain_text("It came with a scratch.")

    page = window("shopper")
    page.goto(f"/orders/{order}/")
    expect(page.locator("#progress")).to_contain_text(f"{told} went back to your card on", timeout=60_000)
    expect(page.locator("#progress")).to_contain_text("It came with a scratch.")
    expect(page.get_by_text("Refunded", exact=True)).to_have_count(0 if amount else 1)
