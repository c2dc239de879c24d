import pytest
from django.db import connection
from django.utils import timezone

from media import services
from media.crops import Crop
from media.files import discard_loose_files
from media.models import Avatar, LooseFile, Thumbnail
from media.sandbox import sandbox
from tests.factories import make_user
from tests.media.pictures import BLUE, GREEN, RED, plain
from tests.media.stored import stored

pytestmark = pytest.mark.django_db(transaction=True)

Status = Avatar.Status


@pytest.fixture(autouse=True)
def _nothing_sent(waiting) -> None:
    """What uploads enqueue goes to a broker that is emptied around each test."""


def test_deleting_while_it_is_processed_does_not_resurrect_it(upload, process, files, monkeypatch):
    avatar = upload(plain())
    decode = sandbox.make_thumbnails

    def delete_meanwhile(data: bytes, crop: Crop | None):
        services.delete_avatar(avatar)
        return decode(data, crop)

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
