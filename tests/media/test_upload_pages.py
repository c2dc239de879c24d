"""The profile page as the script uses it: parts of the page in place of a redirect, and the square in three fields."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from media import services
from media.advice import ADVICE
from media.formats import MAX_BYTES, MAX_SIDE
from media.models import Avatar
from tests.media.pictures import GREEN, encode, plain, quarters
from tests.pages.markup import Markup

pytestmark = pytest.mark.django_db(transaction=True)

PROFILE, FRAGMENT, DELETE = "/profile/", "/profile/avatar/", "/profile/delete/"
SCRIPT = {"HX-Request": "true"}
HOSTILE = [
    {"crop_x": "1e3", "crop_y": "0", "crop_size": "9"},
    {"crop_x": "0.5", "crop_y": "0", "crop_size": "9"},
    {"crop_x": "NaN", "crop_y": "0", "crop_size": "9"},
    {"crop_x": "0", "crop_y": "0", "crop_size": "9" * 5000},
    {"crop_x": "0", "crop_y": "<script>", "crop_size": "9"},
    {"crop_x": "0\x00", "crop_y": "0", "crop_size": "9"},
    {"crop_x": "-1", "crop_y": "0", "crop_size": "9"},
    {"crop_x": "0", "crop_y": "0", "crop_size": "0"},
    {"crop_x": "0", "crop_y": "0", "crop_size": str(MAX_SIDE + 1)},
    {"crop_x": str(2**63), "crop_y": "0", "crop_size": "1"},
    {"crop_x": "1"},
    {"crop_x": "1", "crop_y": "1"},
    {"crop_size": "9"},
]


@pytest.fixture(autouse=True)
def _nothing_sent(waiting) -> None:
    """What uploads enqueue goes to a broker that is emptied around each test."""


@pytest.fixture
def browser(client, owner) -> Client:
    client.force_login(owner)
    return client


def send(browser: Client, data: bytes, headers: dict[str, str] | None = None, **fields: str):
    return browser.post(PROFILE, {"image": SimpleUploadedFile("me.png", data), **fields}, headers=headers)


def process_newest() -> None:
    services.process_avatar(Avatar.objects.latest("pk").pk, lambda *_: None)


def test_a_script_that_uploads_gets_the_part_of_the_page_that_follows_it(browser):
    response = send(browser, plain(), SCRIPT)
    assert response.status_code == 202
    assert response.text.lstrip().startswith('<section class="card stack" id="avatar"')
    assert f'hx-get="{FRAGMENT}" hx-trigger="every 1s"' in response.text
    assert Markup(response.text).faults == []


@pytest.mark.parametrize(("data", "code"), [(b"", "empty"), (b"x" * (MAX_BYTES + 1), "too_large")])
def test_a_script_whose_upload_is_refused_gets_the_words_alone(browser, data, code):
    response = send(browser, data, SCRIPT)
    assert response.status_code == 422
    assert "<form" not in response.text
    assert ADVICE[code] in Markup(response.text).text
    assert not Avatar.objects.exists()


@pytest.mark.parametrize("headers", [None, SCRIPT])
def test_the_square_is_taken_from_the_form(browser, headers):
    send(browser, plain(), headers, crop_x="3", crop_y="5", crop_size="7")
    assert Avatar.objects.get().crop == (3, 5, 7)


def test_without_a_script_the_fields_are_empty_and_the_square_is_the_middle(browser):
    send(browser, plain(), crop_x="", crop_y="", crop_size="")
    assert Avatar.objects.get().crop is None


@pytest.mark.parametrize("fields", HOSTILE)
@pytest.mark.parametrize("headers", [None, SCRIPT])
def test_numbers_that_are_no_square_are_refused_in_words_and_nothing_is_stored(
    browser, files, headers, fields
):
    response = send(browser, plain(), headers, **fields)
    assert response.status_code == 422
    words = Markup(response.text).text
    assert "square" in words
    assert "<script>" not in words
    assert not Avatar.objects.exists()
    assert [path for path in files.rglob("*") if path.is_file()] == []


def test_a_refusal_says_what_to_do_and_where_the_picture_is_measured(browser):
    send(browser, encode(quarters()), crop_x="60", crop_y="0", crop_size="10")
    process_newest()
    page = Markup(browser.get(PROFILE).text).text
    assert "The square that was chosen reaches beyond the picture, which is 64 x 64 pixels." in page
    assert ADVICE["crop_outside"] in page


def test_new_thumbnails_appear_one_after_another_once_and_then_stand_still(browser):
    send(browser, plain())
    assert browser.get(FRAGMENT).text.count("is-coming") == 5
    process_newest()
    assert "is-fresh" in browser.get(FRAGMENT).text
    assert "is-fresh" not in browser.get(PROFILE).text


def test_a_refusal_does_not_make_the_old_picture_a_new_one(browser):
    send(browser, plain())
    process_newest()
    send(browser, b"no picture")
    process_newest()
    fragment = browser.get(FRAGMENT).text
    assert "Your last upload was not used." in fragment
    assert "is-fresh" not in fragment


def test_the_progress_of_the_work_is_shown(browser):
    send(browser, plain())
    assert 'max="3" value="1"' in browser.get(FRAGMENT).text
    Avatar.objects.update(status=Avatar.Status.PROCESSING)
    assert 'max="3" value="2"' in browser.get(FRAGMENT).text


def test_following_an_upload_takes_as_few_queries_as_ever(browser, django_assert_num_queries):
    send(browser, plain())
    with django_assert_num_queries(4):  # session, user, the picture in use, the newest upload
        browser.get(FRAGMENT)
    process_newest()
    send(browser, plain(GREEN))
    with django_assert_num_queries(5):  # and the thumbnails
        browser.get(FRAGMENT)


def test_what_is_to_be_deleted_is_shown_first(browser):
    send(browser, plain())
    process_newest()
    page = browser.get(DELETE).text
    assert page.count('width="128" height="128" alt="Your picture"') == 1
    assert "not ready yet" not in page
    send(browser, plain(GREEN))
    assert "What you have just uploaded is deleted too" in browser.get(DELETE).text


def test_where_there_is_nothing_to_delete_nobody_is_asked(browser):
    response = browser.get(DELETE, follow=True)
    assert response.redirect_chain == [(PROFILE, 302)]
    assert "there is nothing to delete" in response.text


def test_every_state_of_the_page_is_clean(browser):
    pages = [browser.get(PROFILE)]
    send(browser, plain())
    pages += [browser.get(PROFILE), browser.get(DELETE)]
    process_newest()
    pages += [browser.get(PROFILE), browser.get(DELETE), browser.post(PROFILE)]
    send(browser, b"bad")
    process_newest()
    pages += [browser.get(PROFILE)]
    assert [Markup(page.text).faults for page in pages] == [[]] * 7
