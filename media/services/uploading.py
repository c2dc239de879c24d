from typing import Any

from django.contrib.auth.models import User
from django.core.files.base import File
from django.db import transaction

from media import pipeline
from media.crops import Crop
from media.files import claim, write_upload
from media.formats import check_bytes
from media.models import QUARANTINE, Avatar


def upload_avatar(owner: User, file: "File[Any]", crop: Crop | None = None) -> Avatar:
    """Take a picture in and have it processed.

    The picture is not looked into: that is done in the background, behind limits.
    If this process dies before the row is committed, the file is a loose one, and deleted within the day. If it dies
    after that and before the message is sent, ``resume_stuck_avatars`` sends it.

    Args:
        owner: whose avatar it will be.
        file: as it arrived; its name and content type are not believed, and not kept.
        crop: the square to show; None for the middle. Whether it lies within the picture is found out later.

    Returns:
        The avatar, queued.

    Raises:
        Refusal: ``empty`` or ``too_large``; nothing is stored.
    """
    check_bytes(file.size)
    key, digest = write_upload(file)
    x, y, size = crop or (None, None, None)
    with transaction.atomic():
        avatar = Avatar.objects.create(
            owner=owner, upload=key, digest=digest, bytes=file.size, crop_x=x, crop_y=y, crop_size=size
        )
        claim(QUARANTINE, [key])
        avatar.task_id = pipeline.process(avatar.pk)
        avatar.save(update_fields=["task_id"])
    return avatar
