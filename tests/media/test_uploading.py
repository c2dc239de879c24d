import hashlib

import pytest
from django.core.files.base import ContentFile

from media import services
from media.formats import MAX_BYTES
from media.models import Avatar, LooseFile
from media.wire import Refusal
from tests.media.pictures import plain
from tests.media.stored import stored

pytestmark = pytest.mark.django_db(transaction=True)

Status = Avatar.Status


@pytest.fixture(autouse=True)
def _nothing_sent(waiting) -> None:
    """What uploads enqueue goes to a broker that is emptied around each test."""


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
