from django.db import transaction

from media.files import discard_later
from media.locks import lock_avatars_of
from media.models import Avatar


def delete_avatar(avatar: Avatar) -> None:
    """Delete an avatar with all its files, whatever its status.

    One that is being processed is not resurrected: its task finds no row to publish to. A crash after the commit
    leaves the files loose, and the next clean-up deletes them.
    """
    with transaction.atomic():
        lock_avatars_of(avatar.owner_id)
        Avatar.objects.filter(pk=avatar.pk).delete()
        discard_later()


def delete_avatars_of(owner_id: int) -> int:
    """Delete everything a person has uploaded, also what is still being processed; returns how many avatars."""
    with transaction.atomic():
        lock_avatars_of(owner_id)
        _, deleted = Avatar.objects.of(owner_id).delete()
        discard_later()
    return deleted.get("media.Avatar", 0)
