"""Avatars, their thumbnails, and the files that nothing refers to any more.

The invariant behind all of it: **every file in storage is named by exactly one row.** A file that a person may see is
named by an :class:`Avatar` (what was uploaded) or a :class:`Thumbnail`; any other is named by a :class:`LooseFile`,
from before its first byte is written until after it is deleted. So whatever dies at whatever moment, nothing half
written is ever visible and nothing is left behind.
"""

import uuid
from typing import Self

from django.conf import settings
from django.core.files.storage import storages
from django.db import models
from django.db.models import Q

from media.crops import Crop

#: Storage aliases: what people upload is never served; thumbnails are public.
QUARANTINE, PUBLIC = "quarantine", "default"


class AvatarQuerySet(models.QuerySet["Avatar"]):
    """Questions asked of avatars."""

    def of(self, owner_id: int) -> Self:
        """Only this person's."""
        return self.filter(owner_id=owner_id)

    def unfinished(self) -> Self:
        """Only those still to be processed."""
        return self.filter(status__in=[Avatar.Status.QUEUED, Avatar.Status.PROCESSING])

    def ready(self) -> Self:
        """Only those in use: one for each person."""
        return self.filter(status=Avatar.Status.READY)

    def with_thumbnails(self) -> Self:
        """Fetch the thumbnails along, largest first."""
        return self.prefetch_related("thumbnails")


class Avatar(models.Model):
    """One uploaded picture, from the upload to the thumbnails or the refusal.

    queued -> processing -> ready -> superseded, when a newer one is ready
                         -> rejected, with the reason
    """

    class Status(models.TextChoices):
        QUEUED = "queued"
        PROCESSING = "processing"
        READY = "ready"
        REJECTED = "rejected"
        SUPERSEDED = "superseded"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="avatars")
    status = models.CharField(max_length=12, choices=Status, default=Status.QUEUED)
    # The key in quarantine: random, never what the person called the file. Empty when the file is gone.
    upload = models.CharField(max_length=100, blank=True, editable=False)
    digest = models.CharField("SHA-256", max_length=64, editable=False)
    bytes = models.PositiveIntegerField(editable=False)
    # The square to show of it, in pixels of the upright picture; none of the three for the middle.
    crop_x = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
    crop_y = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
    crop_size = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
    error_code = models.CharField(max_length=32, blank=True)
    error_detail = models.CharField(max_length=255, blank=True)
    task_id = models.CharField(max_length=255, blank=True, db_index=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AvatarQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner"], condition=Q(status="ready"), name="media_one_ready_avatar_each"
            ),
            models.CheckConstraint(
                condition=Q(crop_x=None, crop_y=None, crop_size=None)
                | Q(crop_x__isnull=False, crop_y__isnull=False, crop_size__isnull=False, crop_size__gte=1),
                name="media_crop_is_whole",
            ),
        ]
        indexes = [
            models.Index(
                fields=["updated_at"],
                condition=Q(status__in=["queued", "processing"]),
                name="media_avatar_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"avatar {self.public_id} of {self.owner}"

    @property
    def crop(self) -> Crop | None:
        """The square to show; None for the middle."""
        return Crop.of(self.crop_x, self.crop_y, self.crop_size)

    @property
    def is_unfinished(self) -> bool:
        """Whether it is still being worked on."""
        return self.status in {self.Status.QUEUED, self.Status.PROCESSING}


class Thumbnail(models.Model):
    """One published thumbnail. Its file never changes: a new picture has new names."""

    class Format(models.TextChoices):
        WEBP = "webp", "WebP"
        JPEG = "jpeg", "JPEG"

    avatar = models.ForeignKey(Avatar, on_delete=models.CASCADE, related_name="thumbnails")
    size = models.PositiveSmallIntegerField()
    format = models.CharField(max_length=4, choices=Format)
    file = models.CharField(max_length=100, unique=True)
    width = models.PositiveSmallIntegerField()
    height = models.PositiveSmallIntegerField()
    bytes = models.PositiveIntegerField()

    class Meta:
        ordering = ["-size", "-format"]
        constraints = [
            models.UniqueConstraint(fields=["avatar", "size", "format"], name="media_one_thumbnail_each"),
        ]

    def __str__(self) -> str:
        return f"{self.size} pixels, {self.get_format_display()}"

    @property
    def url(self) -> str:
        """Where it is served."""
        return storages[PUBLIC].url(self.file)


class LooseFile(models.Model):
    """A file to delete: not published yet, or no longer.

    Written before a file is, and taken back in the transaction that publishes it. Rows for what is no longer used
    come from triggers (migration 0001), because rows are deleted in more ways than ours, such as a user's
    deletion in the admin, which cascades.
    """

    storage = models.CharField(max_length=20)
    name = models.CharField(max_length=100)
    due_at = models.DateTimeField(db_index=True)  # not before: its writer may be at work

    def __str__(self) -> str:
        return f"{self.storage}: {self.name}"

    def delete_file(self) -> None:
        """Delete the file, if it is there, and then this row; in that order, so that a crash only repeats it."""
        storages[self.storage].delete(self.name)
        self.delete()
