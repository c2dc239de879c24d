import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connection
from django.utils import timezone

from media import files as media_files
from media import services
from media.files import discard_loose_files
from media.formats import MAX_BYTES
from media.models import Avatar, LooseFile, Thumbnail
from media.sandbox import DecoderLostError, sandbox
from media.services import processing
from media.wire import Refusal
from proj.jobs.errors import Transient
from tests.factories import make_user
from tests.media.pictures import BLUE, GREEN, RED, plain

pytestmark = pytest.mark.django_db(transaction=True)

Status = Avatar.Status


@pytest.fixture(autouse=True)
def _nothing_sent(waiting) -> None:
    """What uploads enqueue goes to a broker that is emptied around each test."""


@pytest.fixture
def decodes(monkeypatch) -> Iterator[list[bytes]]:
    """Every picture that is decoded from here on."""
    seen: list[bytes] = []
    decode = sandbox.make_thumbnails
    monkeypatch.setattr(sandbox, "make_thumbnails", lambda data: seen.append(data) or decode(data))
    return seen


def status(avatar: Avatar) -> str:
    return Avatar.objects.get(pk=avatar.pk).status


def stored(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def published() -> set[str]:
    return set(Thumbnail.objects.values_list("file", flat=True))


def test_an_upload_is_quarantined_under_a_random_key_and_enqueued(owner, files, waiting):
    data = plain()
    avatar = services.upload_avatar(owner, ContentFile(data, name="../../etc/passwd.png"))
    assert (avatar.status, avatar.bytes, avatar.digest) == (
        Status.QUEUED,
        len(data),
        hashlib.sha256(data).hexdigest(),
    )
    assert len(avatar.upload) == 32
    assert stored(files) == {f"quarantine/{avatar.upload}"}
    assert (files / "quarantine" / avatar.upload).read_bytes() == data
    assert waiting("compute") == 1
    assert len(Avatar.objects.get().task_id) == 36
    assert not LooseFile.objects.exists()


@pytest.mark.parametrize(("data", "code"), [(b"", "empty"), (b"x" * (MAX_BYTES + 1), "too_large")])
def test_a_refused_size_stores_nothing_and_enqueues_nothing(owner, files, waiting, data, code):
    with pytest.raises(Refusal) as refusal:
        services.upload_avatar(owner, ContentFile(data, name="me.png"))
    assert refusal.value.code == code
    assert stored(files) == set()
    assert not Avatar.objects.exists()
    assert waiting("compute") == 0


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

    def outrun(data: bytes):
        monkeypatch.setattr(sandbox, "make_thumbnails", decode)
        process(newer)
        return decode(data)

    monkeypatch.setattr(sandbox, "make_thumbnails", outrun)
    assert process(older) == Status.SUPERSEDED
    assert status(newer) == Status.READY
    assert stored(files / "default") == published()


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


def test_deleting_while_it_is_processed_does_not_resurrect_it(upload, process, files, monkeypatch):
    avatar = upload(plain())
    decode = sandbox.make_thumbnails

    def delete_meanwhile(data: bytes):
        services.delete_avatar(avatar)
        return decode(data)

    monkeypatch.setattr(sandbox, "make_thumbnails", delete_meanwhile)
    assert process(avatar) == ""
    assert not Avatar.objects.exists()
    assert not Thumbnail.objects.exists()
    assert stored(files) == set()
    assert not LooseFile.objects.exists()


def test_deleting_leaves_no_file(upload, process, files, owner):
    process(upload(plain(RED)))
    upload(plain(BLUE))
    process(upload(b"bad"))
    theirs = upload(plain(GREEN), make_user())
    assert services.delete_avatars_of(owner.pk) == 3
    assert stored(files) == {f"quarantine/{theirs.upload}"}
    assert list(Avatar.objects.all()) == [theirs]


def test_a_file_goes_however_its_row_goes(upload, process, files, owner):
    process(upload(plain()))
    with connection.cursor() as cursor:  # past Django, as a cascade in the admin or a repair by hand may be
        cursor.execute("DELETE FROM media_thumbnail")
    owner.delete()
    assert len(stored(files)) == 7
    assert discard_loose_files(100, timezone.now()) == 7
    assert stored(files) == set()


def test_dying_before_publishing_leaves_nothing_visible_and_nothing_behind(
    upload, process, files, monkeypatch
):
    avatar = upload(plain())

    def die(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(processing, "claim", die)
        with pytest.raises(KeyboardInterrupt):
            process(avatar)
    assert not Thumbnail.objects.exists()
    assert status(avatar) == Status.PROCESSING
    assert len(stored(files / "default")) == 6
    assert process(avatar) == Status.READY
    assert discard_loose_files(100, timezone.now()) == 0  # a writer may be at work on them
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        assert discard_loose_files(100, timezone.now()) == 6
    assert stored(files / "default") == published()


def test_dying_after_the_upload_was_written_leaves_nothing_behind(owner, files, monkeypatch):
    def die(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(services.uploading, "claim", die)
    with pytest.raises(KeyboardInterrupt):
        services.upload_avatar(owner, ContentFile(plain(), name="me.png"))
    assert not Avatar.objects.exists()
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        assert discard_loose_files(100, timezone.now()) == 1
    assert stored(files) == set()


def test_files_that_the_clean_up_has_deleted_are_not_published(upload, process, monkeypatch):
    avatar = upload(plain())
    monkeypatch.setattr(media_files, "WRITERS_TIME", timedelta(seconds=-1))
    claim = processing.claim

    def clean_up_first(*args: object) -> None:
        LooseFile.objects.all().delete()
        claim(*args)

    monkeypatch.setattr(processing, "claim", clean_up_first)
    with pytest.raises(Transient):
        process(avatar)
    assert not Thumbnail.objects.exists()
    assert status(avatar) == Status.PROCESSING


def test_a_storage_in_trouble_is_tried_again(upload, process, monkeypatch):
    avatar = upload(plain())

    def full(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(storages["default"]), "save", full)
    with pytest.raises(Transient, match="No space left"):
        process(avatar)
    assert status(avatar) == Status.PROCESSING


def test_a_decoder_in_trouble_is_tried_again(upload, process, monkeypatch):
    avatar = upload(plain())

    def lost(_data: bytes) -> None:
        raise DecoderLostError("gone")

    monkeypatch.setattr(sandbox, "make_thumbnails", lost)
    with pytest.raises(Transient, match="gone"):
        process(avatar)


def test_an_upload_that_is_gone_is_refused_in_words(upload, process, files):
    avatar = upload(plain())
    (files / "quarantine" / avatar.upload).unlink()
    assert process(avatar) == Status.REJECTED
    avatar.refresh_from_db()
    assert (avatar.error_code, avatar.error_detail) == (
        "upload_lost",
        "The upload got lost on our side. Please upload it again.",
    )


def test_a_fault_of_ours_is_told_and_raised(upload, process, monkeypatch):
    avatar = upload(plain())

    def fail(_data: bytes) -> None:
        raise RuntimeError("the decoder failed: KeyError")

    monkeypatch.setattr(sandbox, "make_thumbnails", fail)
    with pytest.raises(RuntimeError):
        process(avatar)
    avatar.refresh_from_db()
    assert (avatar.status, avatar.error_code) == (Status.REJECTED, "internal_error")
    assert "KeyError" not in avatar.error_detail


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
