"""The square that was chosen, from the upload to the thumbnails."""

import pytest
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from PIL import Image

from media import services
from media.crops import Crop
from media.models import Avatar
from tests.media.pictures import BLUE, GREEN, RED, YELLOW, encode, quarters
from tests.media.test_images import alike

pytestmark = pytest.mark.django_db(transaction=True)

CORNERS = {Crop(0, 0, 32): RED, Crop(32, 0, 32): GREEN, Crop(0, 32, 32): BLUE, Crop(32, 32, 32): YELLOW}


@pytest.fixture(autouse=True)
def _nothing_sent(waiting) -> None:
    """What uploads enqueue goes to a broker that is emptied around each test."""


@pytest.fixture
def send(owner):
    """Upload the four quarters with a square, and process them."""

    def upload_square(crop: Crop | None) -> Avatar:
        avatar = services.upload_avatar(owner, ContentFile(encode(quarters()), name="me.png"), crop)
        services.process_avatar(avatar.pk, lambda *_: None)
        avatar.refresh_from_db()
        return avatar

    return upload_square


def shown(avatar: Avatar, files) -> tuple[int, ...]:
    """Return the colour in the middle of its largest thumbnail."""
    with Image.open(files / "default" / avatar.thumbnails.get(size=512).file) as image:
        return image.convert("RGB").getpixel((256, 256))


def test_the_square_is_kept_and_cut_out(send, files):
    for crop, colour in CORNERS.items():
        avatar = send(crop)
        assert (avatar.status, avatar.crop) == ("ready", crop)
        assert alike([shown(avatar, files)], [colour])


def test_the_same_bytes_with_another_square_are_another_picture(send, decodes, files):
    first, second = send(Crop(0, 0, 32)), send(Crop(32, 0, 32))
    assert first.digest == second.digest
    assert len(decodes) == 2
    assert alike([shown(second, files)], [GREEN])
    send(None)
    assert len(decodes) == 3


def test_the_same_bytes_with_the_same_square_cost_no_decode(send, decodes, files):
    send(Crop(0, 0, 32))
    again = send(Crop(0, 0, 32))
    assert len(decodes) == 1
    assert alike([shown(again, files)], [RED])


def test_thumbnails_made_anew_show_the_same_square(send, files):
    avatar = send(Crop(0, 32, 32))
    assert services.regenerate_thumbnails(avatar.pk)
    assert alike([shown(avatar, files)], [BLUE])


def test_a_square_beyond_the_picture_is_refused_in_words_and_the_old_picture_stays(send, files):
    send(Crop(0, 0, 32))
    refused = send(Crop(60, 60, 32))
    assert (refused.status, refused.error_code) == ("rejected", "crop_outside")
    assert refused.error_detail == (
        "The square that was chosen reaches beyond the picture, which is 64 x 64 pixels."
    )
    assert alike([shown(Avatar.objects.ready().get(), files)], [RED])


@pytest.mark.parametrize(
    "fields",
    [
        {"crop_x": 1},
        {"crop_x": 1, "crop_y": 1},
        {"crop_size": 5},
        {"crop_y": 0, "crop_size": 5},
        {"crop_x": 0, "crop_y": 0, "crop_size": 0},
        {"crop_x": -1, "crop_y": 0, "crop_size": 5},
    ],
)
def test_the_database_holds_no_half_a_square(owner, fields):
    with pytest.raises(IntegrityError), transaction.atomic():
        Avatar.objects.create(owner=owner, digest="0" * 64, bytes=1, **fields)
    assert not Avatar.objects.exists()
