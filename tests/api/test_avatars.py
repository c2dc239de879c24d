"""The avatars of the API, as an outside client sees them."""

import uuid

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile

from media import services
from media.formats import MAX_BYTES, MAX_SIDE
from media.models import Avatar
from proj.api.models import Token
from tests.factories import make_user
from tests.media.pictures import plain, served

pytestmark = pytest.mark.django_db

LIST = "/api/v1/avatars"


@pytest.fixture
def shopper() -> User:
    return make_user()


def bearer(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {Token.issue(user)[1]}"}


def post(client, user: User, data: bytes, name: str = "me.png", **fields: object):
    return client.post(LIST, {"image": SimpleUploadedFile(name, data), **fields}, headers=bearer(user))


def process_all() -> None:
    for avatar in Avatar.objects.unfinished():
        services.process_avatar(avatar.pk, lambda *_: None)


@pytest.mark.django_db(transaction=True)
def test_a_picture_is_accepted_and_says_where_to_follow_it(client, shopper, waiting):
    response = post(client, shopper, plain())
    assert response.status_code == 202
    avatar = Avatar.objects.get(owner=shopper)
    assert response.headers["Location"] == f"{LIST}/{avatar.public_id}"
    body = response.json()
    assert (body["id"], body["status"]) == (str(avatar.public_id), "queued")
    assert (body["thumbnails"], body["mail_thumbnail"], body["error"]) == ([], None, None)
    assert waiting("compute") == 1


@pytest.mark.django_db(transaction=True)
def test_a_ready_avatar_has_five_thumbnails_that_can_be_fetched(client, shopper):
    location = post(client, shopper, plain()).headers["Location"]
    process_all()
    body = client.get(location, headers=bearer(shopper)).json()
    assert body["status"] == "ready"
    assert [(each["size"], each["width"], each["height"]) for each in body["thumbnails"]] == [
        (size, size, size) for size in (512, 256, 128, 64, 32)
    ]
    assert {each["format"] for each in body["thumbnails"]} == {"webp"}
    assert (body["mail_thumbnail"]["size"], body["mail_thumbnail"]["format"]) == (128, "jpeg")
    for thumbnail in [*body["thumbnails"], body["mail_thumbnail"]]:
        image = client.get(thumbnail["url"])
        assert len(served(image)) == thumbnail["bytes"]
        assert image.headers["Content-Type"] == f"image/{thumbnail['format']}"


def test_a_rejected_avatar_says_why(client, shopper):
    location = post(client, shopper, b"<html>", name="me.jpg").headers["Location"]
    process_all()
    body = client.get(location, headers=bearer(shopper)).json()
    assert body["status"] == "rejected"
    assert body["error"] == {
        "code": "not_an_image",
        "detail": "This is not a JPEG, PNG, WebP, GIF or AVIF picture.",
    }
    assert body["thumbnails"] == []


def test_an_older_avatar_is_superseded(client, shopper):
    older = post(client, shopper, plain((1, 2, 3))).headers["Location"]
    newer = post(client, shopper, plain((4, 5, 6))).headers["Location"]
    process_all()
    bodies = [client.get(location, headers=bearer(shopper)).json() for location in (older, newer)]
    assert [(body["status"], len(body["thumbnails"])) for body in bodies] == [("superseded", 0), ("ready", 5)]


@pytest.mark.parametrize(
    ("data", "status", "code"), [(b"", 422, "empty"), (b"x" * (MAX_BYTES + 1), 413, "too_large")]
)
def test_a_file_of_no_or_too_many_bytes_is_refused_at_once(client, shopper, data, status, code):
    response = post(client, shopper, data)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert not Avatar.objects.exists()


def test_a_request_without_an_image_is_a_problem(client, shopper):
    response = client.post(LIST, {"picture": SimpleUploadedFile("me.png", plain())}, headers=bearer(shopper))
    assert (response.status_code, response.json()["code"]) == (422, "invalid")
    assert "image" in response.json()["errors"][0]["pointer"]


@pytest.mark.parametrize(
    "name", ["../../x.png", "nul\x00.png", "x" * 4096 + ".png", "\u202egnp.exe", "CON", ".htaccess", "é 😀"]
)
def test_the_name_of_a_file_means_nothing(client, shopper, files, name):
    response = post(client, shopper, plain(), name=name)
    assert response.status_code == 202
    avatar = Avatar.objects.get()
    assert avatar.upload.isalnum()
    assert [path.name for path in files.rglob("*") if path.is_file()] == [avatar.upload]


@pytest.mark.django_db(transaction=True)
def test_deleting_takes_avatar_and_files_away(client, shopper, files):
    location = post(client, shopper, plain()).headers["Location"]
    process_all()
    assert client.delete(location, headers=bearer(shopper)).status_code == 204
    assert client.get(location, headers=bearer(shopper)).status_code == 404
    assert client.delete(location, headers=bearer(shopper)).status_code == 404
    assert [path for path in files.rglob("*") if path.is_file()] == []


@pytest.mark.django_db(transaction=True)
def test_deleting_while_it_is_processed_is_final(client, shopper, files):
    location = post(client, shopper, plain()).headers["Location"]
    avatar = Avatar.objects.get()
    assert client.delete(location, headers=bearer(shopper)).status_code == 204
    assert services.process_avatar(avatar.pk, lambda *_: None) == ""
    assert [path for path in files.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("staff", [False, True])
def test_somebody_elses_avatar_does_not_exist(client, shopper, staff):
    location = post(client, shopper, plain()).headers["Location"]
    other = bearer(make_user(is_staff=staff))
    assert client.get(location, headers=other).status_code == 404
    assert client.delete(location, headers=other).status_code == 404
    assert client.get(LIST, headers=other).json() == {"items": [], "next": None}
    assert Avatar.objects.count() == 1


def test_an_unknown_id_and_a_bad_one_are_problems(client, shopper):
    assert client.get(f"{LIST}/{uuid.uuid4()}", headers=bearer(shopper)).status_code == 404
    assert client.get(f"{LIST}/1", headers=bearer(shopper)).status_code == 422


def test_nobody_uploads_reads_or_deletes_without_signing_in(client, shopper):
    location = post(client, shopper, plain()).headers["Location"]
    upload = client.post(LIST, {"image": SimpleUploadedFile("me.png", plain())})
    answers = [upload, client.get(LIST), client.get(location), client.delete(location)]
    assert [answer.status_code for answer in answers] == [401] * 4
    assert Avatar.objects.count() == 1


def test_avatars_are_listed_newest_first_in_pages(client, shopper):
    ids = [post(client, shopper, plain((n, n, n))).json()["id"] for n in range(3)]
    first = client.get(LIST, {"limit": 2}, headers=bearer(shopper)).json()
    assert [each["id"] for each in first["items"]] == ids[:0:-1]
    second = client.get(LIST, {"limit": 2, "cursor": first["next"]}, headers=bearer(shopper)).json()
    assert ([each["id"] for each in second["items"]], second["next"]) == (ids[:1], None)


def test_the_square_to_show_is_taken_and_told(client, shopper):
    response = post(client, shopper, plain(), crop_x=0, crop_y=4, crop_size=60)
    assert response.status_code == 202
    assert response.json()["crop"] == {"x": 0, "y": 4, "size": 60}
    assert Avatar.objects.get().crop == (0, 4, 60)


def test_without_a_square_it_is_the_middle(client, shopper):
    assert post(client, shopper, plain()).json()["crop"] is None


@pytest.mark.parametrize("field", ["crop_x", "crop_y", "crop_size"])
@pytest.mark.parametrize(
    "value", ["", "-1", "1.5", "1e3", "NaN", "x", "[]", "9" * 5000, str(MAX_SIDE + 1), "\x00", "<script>"]
)
def test_a_number_that_is_none_is_a_problem_that_says_where(client, shopper, field, value):
    square = {"crop_x": 0, "crop_y": 0, "crop_size": 8, field: value}
    response = post(client, shopper, plain(), **square)
    assert (response.status_code, response.json()["code"]) == (422, "invalid")
    assert [field in error["pointer"] for error in response.json()["errors"]] == [True]
    assert response.headers["Content-Type"] == "application/problem+json"
    assert not Avatar.objects.exists()


@pytest.mark.parametrize(
    "square",
    [
        {"crop_x": 1},
        {"crop_x": 1, "crop_y": 1},
        {"crop_size": 9},
        {"crop_x": MAX_SIDE - 1, "crop_y": 0, "crop_size": 2},
    ],
)
def test_numbers_that_make_no_square_are_a_problem(client, shopper, files, square):
    response = post(client, shopper, plain(), **square)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_crop")
    assert "square" in response.json()["detail"]
    assert not Avatar.objects.exists()
    assert [path for path in files.rglob("*") if path.is_file()] == []


def test_a_square_beyond_the_picture_is_found_out_when_it_is_processed(client, shopper):
    location = post(client, shopper, plain(), crop_x=1, crop_y=0, crop_size=64).headers["Location"]
    process_all()
    body = client.get(location, headers=bearer(shopper)).json()
    assert (body["status"], body["error"]["code"]) == ("rejected", "crop_outside")
    assert "64 x 64 pixels" in body["error"]["detail"]
