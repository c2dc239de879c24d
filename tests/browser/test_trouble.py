"""What people see of trouble behind the counter: a worker killed, the network lost, a page loaded anew on the way."""

from playwright.sync_api import Page, expect

from tests.browser.shop import Shop
from tests.browser.shopping import fill_the_cart, place_the_order
from tests.browser.window import Complaints
from tests.waiting import eventually

DONE = "All done. Thank you for your order."


def hold_at(shop: Shop, queue: str) -> None:
    shop.person("admin").post(
        f"/admin/queues/{queue}/", {"switch": "pause", "reason": "To look at it closely."}
    )


def let_go_of(shop: Shop, queue: str) -> None:
    shop.person("admin").post(f"/admin/queues/{queue}/", {"switch": "resume", "reason": ""})


def order_held_at_its_payment(page: Page, shop: Shop) -> None:
    """Place an order, and see it wait for its card to be charged."""
    hold_at(shop, "io")
    fill_the_cart(page, 1)
    place_the_order(page)
    expect(page.locator("#progress")).to_contain_text("Your goods are set aside for you.")
    expect(page.locator("#progress")).to_contain_text("Payments are paused for the moment.")


def test_a_worker_killed_while_the_page_watches_costs_a_moment_and_no_click(window, shop):
    page = window("shopper")
    complaints = Complaints(page, shop.url)
    order_held_at_its_payment(page, shop)
    before = {process.pid for process in shop.processes("default")}
    try:
        shop.kill("default")
        assert eventually(lambda: not before & {process.pid for process in shop.processes("default")})
    finally:
        let_go_of(shop, "io")

    expect(page.locator("#progress")).to_contain_text(DONE, timeout=90_000)

    assert complaints == []
    assert {process.pid for process in shop.processes("default")} - before


def test_a_second_device_and_a_page_loaded_anew_show_the_same_and_go_on(window, shop):
    first, second = window("shopper"), window("shopper", phone=True)
    order_held_at_its_payment(first, shop)
    try:
        second.goto(first.url)
        first.reload()
        for page in (first, second):
            expect(page.locator("#progress")).to_contain_text("Your goods are set aside for you.")
    finally:
        let_go_of(shop, "io")

    for page in (first, second):
        expect(page.locator("#progress")).to_contain_text(DONE)


def test_a_lost_network_is_said_and_the_page_goes_on_when_it_is_back(window, shop):
    page = window("shopper")
    order_held_at_its_payment(page, shop)
    try:
        # A stream that is open would outlive the first alone: a browser only pretends to be offline.
        page.context.set_offline(True)
        shop.kill("web")
        expect(page.locator("main")).to_contain_text("The connection is lost.")
    finally:
        let_go_of(shop, "io")
        page.context.set_offline(False)

    expect(page.locator("#progress")).to_contain_text(DONE, timeout=60_000)
    expect(page.locator("main")).not_to_contain_text("The connection is lost.")
