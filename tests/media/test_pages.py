import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.test import Client, RequestFactory
from django.urls import reverse

from media import services
from media.formats import MAX_BYTES, check_bytes
from media.models import Avatar
from media.uploads import CutOffHandler
from media.wire import Refusal
from tests.factories import make_user
from tests.media.pictures import GREEN, RED, plain, served

pytestmark = pytest.mark.django_db

PROFILE, FRAGMENT, DELETE = "/profile/", "/profile/avatar/", "/profile/delete/"
REFRESH = '<noscript><meta http-equiv="refresh" content="2"></noscript>'


@pytest.fixture
def browser(client, owner) -> Client:
    client.force_login(owner)
    return client


def send(browser: Client, data: bytes):
    return browser.post(PROFILE, {"image": SimpleUploadedFile("me.png", data)})


def text(response) -> str:
    return response.content.decode()


def test_a_new_person_is_told_to_choose_a_picture(browser):
    page = text(browser.get(PROFILE))
    assert "You have no picture yet." in page
    assert 'enctype="multipart/form-data"' in page
    assert "hx-get" not in page
    assert REFRESH not in page
    assert "Delete your picture" not in page


@pytest.mark.django_db(transaction=True)
def test_an_upload_is_followed_until_its_thumbnails_appear(browser):
    response = send(browser, plain())
    assert (response.status_code, response.headers["Location"]) == (302, PROFILE)
    page = text(browser.get(PROFILE))
    assert "waits for its turn" in page
    assert f'hx-get="{FRAGMENT}" hx-trigger="every 1s"' in page
    assert f'data-live="/api/v1/avatars/{Avatar.objects.get().public_id}/events"' in page
    assert REFRESH in page
    services.process_avatar(Avatar.objects.get().pk, lambda *_: None)
    fragment = text(browser.get(FRAGMENT))
    assert "<html" not in fragment
    assert "hx-get" not in fragment
    shown = re.findall(r'<img class="avatar" src="(/uploads/[0-9a-f/]+-\d+\.webp)" width="(\d+)"', fragment)
    assert [int(width) for _, width in shown] == [512, 256, 128, 64, 32]
    for url, _ in shown:
        assert served(browser.get(url)).startswith(b"RIFF")


def test_a_refusal_is_said_in_words_and_the_old_picture_stays(browser):
    send(browser, plain())
    services.process_avatar(Avatar.objects.get().pk, lambda *_: None)
    send(browser, b"no picture")
    services.process_avatar(Avatar.objects.latest("pk").pk, lambda *_: None)
    page = text(browser.get(PROFILE))
    assert "Your last upload was not used. This is not a JPEG, PNG, WebP, GIF or AVIF picture." in page
    assert page.count("-512.webp") == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "The file is empty."), (b"x" * (MAX_BYTES + 1), "The file is larger than 10 MB.")],
)
def test_a_file_of_no_or_too_many_bytes_is_refused_on_the_spot(browser, data, words):
    response = send(browser, data)
    assert response.status_code == 422
    assert words in text(response)
    assert not Avatar.objects.exists()


def test_no_more_of_a_huge_file_reaches_the_disk_than_shows_that_it_is_too_large():
    kept: list[int] = []

    class Keeping(TemporaryFileUploadHandler):
        def file_complete(self, file_size):
            kept.append(file_size)
            return super().file_complete(file_size)

    request = RequestFactory().post(PROFILE, {"image": SimpleUploadedFile("me.png", b"x" * (3 * MAX_BYTES))})
    request.upload_handlers = [CutOffHandler(request), Keeping(request)]
    with request.FILES["image"] as file, pytest.raises(Refusal, match="larger than 10 MB"):
        check_bytes(file.size)
    assert MAX_BYTES < kept[0] <= MAX_BYTES + 64 * 1024


def test_sending_no_file_asks_for_one(browser):
    response = browser.post(PROFILE)
    assert response.status_code == 422
    assert "Choose a picture first." in text(response)


@pytest.mark.django_db(transaction=True)
def test_deleting_asks_first_and_then_deletes_everything(browser, owner, files):
    for colour in (RED, GREEN):
        send(browser, plain(colour))
    services.process_avatar(Avatar.objects.earliest("pk").pk, lambda *_: None)
    assert "Delete your picture?" in text(browser.get(DELETE))
    assert Avatar.objects.count() == 2
    response = browser.post(DELETE, follow=True)
    assert "Your picture is deleted." in text(response)
    assert not Avatar.objects.exists()
    assert [path for path in files.rglob("*") if path.is_file()] == []


def test_deleting_takes_nothing_from_others(browser):
    other = make_user()
    services.upload_avatar(other, SimpleUploadedFile("me.png", plain()))
    browser.post(DELETE)
    assert Avatar.objects.filter(owner=other).count() == 1


@pytest.mark.parametrize("url", [PROFILE, FRAGMENT, DELETE])
def test_who_is_not_signed_in_is_sent_to_do_so(client, url):
    response = client.get(url)
    assert (response.status_code, response.headers["Location"]) == (302, f"/accounts/login/?next={url}")


@pytest.mark.parametrize("url", [PROFILE, DELETE])
def test_a_foreign_page_can_neither_upload_nor_delete(owner, url):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(owner)
    assert browser.post(url).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_a_thumbnail_is_served_as_an_image_and_nothing_else(client, upload, process):
    avatar = upload(plain())
    process(avatar)
    for thumbnail in avatar.thumbnails.all():
        response = client.get(thumbnail.url)
        assert len(served(response)) == thumbnail.bytes
        assert response.headers["Content-Type"] == f"image/{thumbnail.format}"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert not response.cookies


@pytest.mark.parametrize(
    "path",
    [
        "",
        "..",
        "../quarantine/x",
        "%2e%2e/quarantine/x",
        "ab/" + "a" * 32 + "-512.html",
        "ab/" + "a" * 32 + "-512.webp",
        "ab/" + "a" * 32 + "-512.webp%0a",
    ],
)
def test_no_other_file_can_be_asked_for(client, path):
    assert client.get(f"/uploads/{path}").status_code == 404


def test_an_upload_is_never_served(client, upload):
    avatar = upload(plain())
    assert client.get(f"/uploads/{avatar.upload}").status_code == 404
    assert client.get(f"/quarantine/{avatar.upload}").status_code == 404


def test_the_addresses_are_known_by_name():
    assert [reverse(f"media:{name}") for name in ("profile", "avatar", "delete")] == [
        PROFILE,
        FRAGMENT,
        DELETE,
    ]
