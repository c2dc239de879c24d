from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import timezone

from media import services
from media.crops import Crop
from media.files import discard_loose_files
from media.models import Avatar, LooseFile, Thumbnail
from media.sandbox import sandbox
from tests.media.pictures import GREEN, RED, plain
from tests.media.stored import published, status, stored

pytestmark = pytest.mark.django_db(transaction=True)

Status = Avatar.Status


@pytest.fixture(autouse=True)
def _nothing_sent(waiting) -> None:
    """What uploads enqueue goes to a broker that is emptied around each test."""


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_newest_upload_wins_in_whatever_order_they_finish(upload, process, files, newest_first):
    older, newer = upload(plain(RED)), upload(plain(GREEN))
    for avatar in [newer, older] if newest_first else [older, newer]:
        process(avatar)
    assert (status(older), status(newer)) == (Status.SUPERSEDED, Status.READY)
    assert set(Thumbnail.objects.values_list("avatar", flat=True)) == {newer.pk}
    assert stored(files / "default") == published()
    assert stored(files / "quarantine") == {newer.upload}


def test_a_refused_upload_leaves_the_avatar_in_use(upload, process):
    good, bad = upload(plain()), upload(b"bad")
    process(good), process(bad)
    assert (status(good), status(bad)) == (Status.READY, Status.REJECTED)
    assert good.thumbnails.count() == 6


def test_an_upload_that_a_newer_one_outran_while_it_was_decoded_is_superseded(
    upload, process, files, monkeypatch
):
    older, newer = upload(plain(RED)), upload(plain(GREEN))
    decode = sandbox.make_thumbnails

    def outrun(data: bytes, crop: Crop | None):
        monkeypatch.setattr(sandbox, "make_thumbnails", decode)
        process(newer)
        return decode(data, crop)

    monkeypatch.setattr(sandbox, "make_thumbnails", outrun)
    assert process(older) == Status.SUPERSEDED
    assert status(newer) == Status.READY
    assert stored(files / "default") == published()


def test_many_uploads_processed_side_by_side_leave_the_newest_in_use(upload, files):
    avatars = [upload(plain((20 * n, 0, 0))) for n in range(8)]

    def process(avatar: Avatar) -> str:
        try:
            return services.process_avatar(avatar.pk, lambda *_: None)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(process, [*avatars[4:], *avatars[:4], *avatars]))
    assert [status(avatar) for avatar in avatars] == [Status.SUPERSEDED] * 7 + [Status.READY]
    assert Thumbnail.objects.count() == 6
    discard_loose_files(100, timezone.now())
    assert stored(files / "default") == published()
    assert stored(files / "quarantine") == {avatars[-1].upload}
    assert not LooseFile.objects.exists()
