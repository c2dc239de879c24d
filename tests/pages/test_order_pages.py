import uuid
from datetime import timedelta
from http import HTTPStatus

import pytest
from django.utils import timezone

from orders.states import CANCELLABLE, FINAL, Status, Step, StepState
from orders.timeline import STATE_WORDS, STATUS_WORDS, STEP_TITLES, duration
from tests.factories import make_order, make_product, make_user


def test_every_status_step_and_state_has_words():
    assert set(STATUS_WORDS) == set(Status)
    assert set(STEP_TITLES) == set(Step)
    assert set(STATE_WORDS) == set(StepState)


@pytest.mark.parametrize("url", ["/orders/", "{order}", "{order}cancel/"])
def test_who_is_not_signed_in_is_asked_to(client, order, url):
    path = url.format(order=order.get_absolute_url())

    response = client.get(path)

    assert (response.status_code, response["Location"]) == (HTTPStatus.FOUND, f"/accounts/login/?next={path}")


@pytest.mark.parametrize("is_staff", [False, True])
@pytest.mark.parametrize("url", ["{order}", "{order}cancel/"])
def test_an_order_of_somebody_else_does_not_exist(client, order, url, is_staff):
    client.force_login(make_user(is_staff=is_staff))
    path = url.format(order=order.get_absolute_url())

    assert client.get(path).status_code == HTTPStatus.NOT_FOUND
    assert client.get(path, headers={"hx-request": "true"}).status_code == HTTPStatus.NOT_FOUND
    assert client.post(f"{order.get_absolute_url()}cancel/").status_code == HTTPStatus.NOT_FOUND
    order.refresh_from_db()
    assert order.status == Status.PLACED


def test_an_order_that_never_was_does_not_exist_either(browser):
    assert browser.get(f"/orders/{uuid.uuid4()}/").status_code == HTTPStatus.NOT_FOUND


def test_the_list_has_the_newest_first_and_nobody_elses(browser, shopper):
    make_order(customer=make_user())
    old, new = (
        make_order(customer=shopper, placed_at=timezone.now() - timedelta(days=days)) for days in (2, 1)
    )

    page = browser.get("/orders/").text

    assert [order.public_id for order in browser.get("/orders/").context["page"]] == [
        new.public_id,
        old.public_id,
    ]
    assert page.count('class="row-title"') == 2
    assert page.index(str(new.public_id)) < page.index(str(old.public_id))


def test_the_list_says_what_was_ordered(browser, shopper):
    tea, cup = make_product("A", name="Tea"), make_product("B", name="Cup")
    make_order({tea: 3, cup: 1}, customer=shopper)

    page = browser.get("/orders/").text

    assert "Tea and 1 more" in page
    assert '<td class="money" data-label="Items">4</td>' in page
    assert "£10.00" in page


def test_an_empty_list_says_where_to_go(browser):
    assert "You have not ordered anything yet." in browser.get("/orders/").text


@pytest.mark.parametrize("status", Status)
def test_the_page_shows_every_status_and_follows_it_until_the_end(browser, shopper, status):
    order = make_order(customer=shopper, status=status)

    page = browser.get(order.get_absolute_url()).text

    chip, look, sentence = STATUS_WORDS[status]
    assert f'<span class="chip chip-{look}">{chip}</span>' in page
    assert sentence in page
    assert [title in page for title in STEP_TITLES.values()] == [True] * 6
    assert ('hx-trigger="every 1s"' in page) == (status not in FINAL)
    assert ('http-equiv="refresh"' in page) == (status not in FINAL)
    assert ("Cancel this order" in page) == (status in CANCELLABLE)


@pytest.mark.parametrize(
    ("status", "step", "word"),
    [
        (Status.REJECTED, Step.VALIDATE, "Not accepted"),
        (Status.OUT_OF_STOCK, Step.RESERVE_STOCK, "Sold out"),
        (Status.PAYMENT_FAILED, Step.CHARGE, "Declined"),
    ],
)
def test_a_step_that_ended_the_order_is_not_shown_as_done(browser, shopper, status, step, word):
    order = make_order(customer=shopper, status=status)
    order.steps.filter(name=step).update(state=StepState.SUCCEEDED)

    stages = browser.get(order.get_absolute_url()).context["timeline"].stages

    assert (stages[list(Step).index(step)].word, stages[list(Step).index(step)].mark) == (word, "is-failed")


@pytest.mark.parametrize(("status", "word"), [(Status.COMPLETED, "Done"), (Status.CANCELLED, "Not done")])
def test_nothing_is_under_way_in_an_order_that_has_ended(browser, shopper, status, word):
    order = make_order(customer=shopper, status=status)
    order.steps.update(state=StepState.RUNNING)

    stages = browser.get(order.get_absolute_url()).context["timeline"].stages

    assert {stage.word for stage in stages} == {word}


def test_a_step_that_is_tried_again_says_why_and_which_attempt(browser, shopper):
    order = make_order(customer=shopper, status=Status.CHARGING)
    order.steps.filter(name=Step.CHARGE).update(
        state=StepState.RETRYING, attempt=3, started_at=timezone.now(), error="The provider did not answer."
    )

    page = browser.get(order.get_absolute_url()).text

    assert "Trying again, attempt 3" in page
    assert "The provider did not answer." in page


def test_polling_gets_the_progress_alone_and_204_when_nothing_happened(browser, order):
    url, headers = order.get_absolute_url(), {"hx-request": "true"}
    fragment = browser.get(url, headers=headers)
    seen = fragment.context["timeline"].seen

    assert "<html" not in fragment.text
    assert f'hx-get="{url}?seen={seen}"' in fragment.text
    assert browser.get(f"{url}?seen={seen}", headers=headers).status_code == HTTPStatus.NO_CONTENT

    order.steps.filter(name=Step.VALIDATE).update(state=StepState.RUNNING)
    assert "Under way" in browser.get(f"{url}?seen={seen}", headers=headers).text


def test_polling_ends_with_the_order(browser, order):
    headers = {"hx-request": "true"}
    seen = browser.get(order.get_absolute_url(), headers=headers).context["timeline"].seen
    browser.post(f"{order.get_absolute_url()}cancel/")

    fragment = browser.get(f"{order.get_absolute_url()}?seen={seen}", headers=headers).text

    assert "This order is cancelled." in fragment
    assert "hx-trigger" not in fragment


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.004, "0.00 s"), (9.5, "9.50 s"), (34, "34 s"), (300, "5 min"), (10_800, "3 h")]
)
def test_durations_in_peoples_words(seconds, words):
    assert duration(timedelta(seconds=seconds)) == words
