import pytest
from django.core.files.storage import storages

from media import services
from media.models import Avatar, LooseFile, Thumbnail
from tests.factories import make_user
from tests.media.pictures import GREEN, RED, plain
from tests.media.stored import published, status, stored

pytestmark = pytest.mark.django_db(transaction=True)

Status = Avatar.Status


@pytest.fixture(autouse=True)
def _nothing_sent(waiting) -> None:
    """What uploads enqueue goes to a broker that is emptied around each test."""


def test_a_good_picture_becomes_five_thumbnails_and_one_for_mail(upload, process, files):
    avatar = upload(plain())
    steps: list[tuple[int, int, str]] = []
    assert services.process_avatar(avatar.pk, lambda *step: steps.append(step)) == Status.READY
    assert steps == [(1, 3, "making thumbnails"), (2, 3, "publishing")]
    made = [(each.size, each.format, each.width, each.height) for each in avatar.thumbnails.all()]
    assert made == [
        (512, "webp", 512, 512),
        (256, "webp", 256, 256),
        (128, "webp", 128, 128),
        (128, "jpeg", 128, 128),
        (64, "webp", 64, 64),
        (32, "webp", 32, 32),
    ]
    for thumbnail in avatar.thumbnails.all():
        assert storages["default"].size(thumbnail.file) == thumbnail.bytes
    assert stored(files / "default") == published()
    assert not LooseFile.objects.exists()


def test_a_bad_picture_is_refused_for_good_in_words(upload, process, files):
    avatar = upload(b"<svg onload=alert(1)>")
    assert process(avatar) == Status.REJECTED
    avatar.refresh_from_db()
    assert avatar.error_code == "not_an_image"
    assert avatar.error_detail == "This is not a JPEG, PNG, WebP, GIF or AVIF picture."
    assert stored(files / "default") == set()
    assert not Thumbnail.objects.exists()


def test_running_the_task_again_changes_nothing(upload, process, decodes, files):
    good, bad = upload(plain()), upload(b"bad")
    process(good), process(bad)
    before = (stored(files), list(Avatar.objects.order_by("pk").values()))
    assert (process(good), process(bad)) == (Status.READY, Status.REJECTED)
    assert (stored(files), list(Avatar.objects.order_by("pk").values())) == before
    assert len(decodes) == 2


def test_the_same_bytes_again_cost_no_decode(upload, process, decodes, files):
    first = upload(plain())
    process(first)
    before = published()
    again = upload(plain())
    assert process(again) == Status.READY
    assert len(decodes) == 1
    assert status(first) == Status.SUPERSEDED
    assert published() == before == stored(files / "default")
    assert again.thumbnails.count() == 6


def test_the_same_bytes_of_somebody_else_are_decoded_anew(upload, process, decodes):
    mine, theirs = upload(plain()), upload(plain(), make_user())
    process(mine), process(theirs)
    assert (status(mine), status(theirs)) == (Status.READY, Status.READY)
    assert len(decodes) == 2
    assert Thumbnail.objects.count() == 12


def test_thumbnails_are_made_anew_in_place_of_the_old(upload, process, files):
    avatar = upload(plain())
    process(avatar)
    before = published()
    assert services.regenerate_thumbnails(avatar.pk)
    assert len(published()) == 6
    assert not published() & before
    assert stored(files / "default") == published()
    assert status(avatar) == Status.READY


def test_what_is_not_in_use_is_not_made_anew(upload, process, decodes):
    older, newer = upload(plain(RED)), upload(plain(GREEN))
    process(older), process(newer)
    assert not services.regenerate_thumbnails(older.pk)
    assert len(decodes) == 2
