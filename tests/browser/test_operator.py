"""What operators do: see on the first page what is wrong, end a job, and let a dead one run again, with a reason each time."""

import re

from playwright.sync_api import expect

from tests.browser.scene import PICTURE, find_jobs
from tests.browser.shopping import sign_up
from tests.browser.window import Complaints
from tests.waiting import eventually

WAITING = "Your picture has arrived and waits for its turn."


def test_a_dead_job_is_tried_again_with_a_reason_and_the_person_who_waits_sees_the_outcome(window, shop):
    desk, page = window("admin"), window()
    complaints = Complaints(desk, shop.url)
    desk.goto("/admin/queues/compute/")
    desk.get_by_label("Reason").fill("Pictures come out upside down.")
    desk.get_by_role("button", name="Pause compute").click()
    expect(desk.locator("main")).to_contain_text("Pictures come out upside down.")

    sign_up(page)
    page.goto("/profile/")
    page.locator("input[type=file]").set_input_files(PICTURE)
    page.get_by_role("button", name=re.compile("^(Upload|Use)")).click()
    expect(page.locator("#avatar")).to_contain_text(WAITING)

    [job] = eventually(lambda: find_jobs(shop.person("admin"), "queue=compute&state=queued"))
    desk.goto(f"/admin/jobs/job/{job}/change/")
    expect(desk.locator("main")).to_contain_text(re.compile("paused", re.IGNORECASE))
    answer(desk, "Bury", "It may be the picture.")
    desk.goto("/admin/")
    expect(desk.locator("#dead")).to_contain_text("media.process_avatar")

    desk.goto("/admin/queues/compute/")
    desk.get_by_role("button", name="Resume compute").click()
    desk.goto("/admin/")
    desk.locator("#dead").get_by_role("link", name=re.compile("media.process_avatar")).click()
    desk.locator("#result_list").get_by_role("link", name="media.process_avatar").click()
    expect(desk.locator("main")).to_contain_text("It may be the picture.")
    answer(desk, "Retry", "It was not the picture.")

    expect(page.locator("#thumbnails img")).to_have_count(5, timeout=60_000)
    desk.goto("/admin/jobs/auditentry/")
    for said in ("Pictures come out upside down.", "It may be the picture.", "It was not the picture."):
        expect(desk.locator("main")).to_contain_text(said)
    assert complaints == []


def answer(desk, action: str, reason: str) -> None:
    """Press the button of an action on a job's page, and answer the page that asks."""
    desk.get_by_role("button", name=action, exact=True).click()
    expect(desk.locator("main")).to_contain_text("manage.py jobs")
    desk.get_by_label("Reason").fill(reason)
    desk.locator("form.console-form input[type=submit]").click()
    expect(desk.locator(".messagelist")).to_be_visible()


def test_the_first_page_tells_in_words_how_things_are_and_keeps_up_by_itself(window, shop):
    desk = window("admin")
    complaints = Complaints(desk, shop.url)
    desk.goto("/admin/")
    row = desk.locator("#queues").get_by_role("row").filter(has_text="bulk")
    expect(row).not_to_contain_text("paused")

    shop.person("admin").post("/admin/queues/bulk/", {"switch": "pause", "reason": "To see it here."})
    try:
        expect(row).to_contain_text("paused")
        expect(desk.locator("#verdict")).not_to_have_text("All is well.")
    finally:
        shop.person("admin").post("/admin/queues/bulk/", {"switch": "resume", "reason": ""})

    expect(row).not_to_contain_text("paused")
    for part in ("Queues", "Dead", "Incidents", "Schedules", "Workers"):
        expect(desk.get_by_role("heading", name=re.compile(f"^{part}"))).to_be_visible()
    assert complaints == []


def test_staff_who_may_only_look_see_everything_and_can_press_nothing(window, shop):
    desk = window("staff")
    desk.goto("/admin/")
    expect(desk.locator("#queues")).to_contain_text("compute")
    desk.goto("/admin/queues/compute/")
    expect(desk.get_by_role("button", name=re.compile("Pause|Resume"))).to_have_count(0)
    desk.goto("/admin/jobs/job/")
    expect(desk.locator("select[name=action] option[value=retry]")).to_have_count(0)

    said = {"switch": "pause", "reason": "Because."}
    token = shop.person("staff").session.cookies["csrftoken"]
    answer = shop.person("staff").session.post(
        f"{shop.url}/admin/queues/compute/",
        data=said | {"csrfmiddlewaretoken": token},
        headers={"Referer": shop.url},
        timeout=30,
    )
    assert answer.status_code == 403
    desk.goto("/admin/queues/compute/")
    expect(desk.locator("main")).not_to_contain_text("Paused by")


def test_shoppers_are_not_let_in(window):
    answer = window("shopper").goto("/admin/queues/compute/")

    assert answer
    assert (answer.status, "Pause" in answer.text()) == (403, False)
