from datetime import timedelta

import pytest
import time_machine
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.utils import timezone

from media import files as media_files
from media import services
from media.files import discard_loose_files
from media.models import Avatar, LooseFile, Thumbnail
from media.sandbox import DecoderLostError, sandbox
from media.services import processing
from proj.jobs.errors import Transient
from tests.media.pictures import plain
from tests.media.stored import published, status, stored

pytestmark = pytest.mark.django_db(transaction=True)

Status = Avatar.Status


@pytest.fixture(autouse=True)
def _nothing_sent(waiting) -> None:
    """What uploads enqueue goes to a broker that is emptied around each test."""


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

    def lost(_data: bytes, _crop: object) -> None:
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

    def fail(_data: bytes, _crop: object) -> None:
        raise RuntimeError("the decoder failed: KeyError")

    monkeypatch.setattr(sandbox, "make_thumbnails", fail)
    with pytest.raises(RuntimeError):
        process(avatar)
    avatar.refresh_from_db()
    assert (avatar.status, avatar.error_code) == (Status.REJECTED, "internal_error")
    assert "KeyError" not in avatar.error_detail
