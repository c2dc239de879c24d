import logging
from collections.abc import Callable, Iterable

from django.db import transaction
from django.utils import timezone

from media.files import abandon, claim, discard_later, read_upload, write_thumbnails
from media.locks import lock_avatars_of
from media.models import PUBLIC, Avatar, Thumbnail
from media.sandbox import DecoderLostError, sandbox
from media.wire import Encoded, Refusal
from proj.jobs.errors import Transient

#: Told how far the work is: steps done, steps in all, what comes next.
Progress = Callable[[int, int, str], None]
STEPS = 3

logger = logging.getLogger(__name__)


def process_avatar(avatar_id: int, progress: Progress) -> str:
    """Turn an upload into the person's avatar, or into a refusal.

    May run twice, late or beside itself: only what is unfinished is touched, and what is decided is decided under
    the person's lock. The newest upload wins, in whatever order they finish. Dying anywhere leaves the avatar as
    processing, to be run again, and written thumbnails as loose files, to be deleted: people see all or nothing.

    Args:
        avatar_id: primary key.
        progress: told each step.

    Returns:
        The status the avatar has then; "" when it has been deleted.

    Raises:
        Transient: storage or decoder are in trouble; the next try may succeed.
    """
    avatar = _begin(avatar_id)
    if avatar is None:
        return status_of(avatar_id)
    try:
        if not _adopt(avatar):
            progress(1, STEPS, "making thumbnails")
            encoded = _decode(avatar)
            progress(2, STEPS, "publishing")
            _publish(avatar, encoded, from_statuses={Avatar.Status.PROCESSING})
    except Refusal as refusal:
        _reject(avatar, refusal)
    return status_of(avatar_id)


def regenerate_thumbnails(avatar_id: int) -> bool:
    """Make the thumbnails of a ready avatar anew from its upload, and put them in place of the old.

    Returns:
        False when the avatar is not in use any more.

    Raises:
        Refusal: the upload is gone, or can no longer be used; what there was stays.
        Transient: the next try may succeed.
    """
    avatar = Avatar.objects.ready().filter(pk=avatar_id).first()
    if avatar is None:
        return False
    return _publish(avatar, _decode(avatar), from_statuses={Avatar.Status.READY})


def status_of(avatar_id: int) -> str:
    """Return an avatar's status, or "" when there is no such avatar."""
    return Avatar.objects.filter(pk=avatar_id).values_list("status", flat=True).first() or ""


def _begin(avatar_id: int) -> Avatar | None:
    begun = (
        Avatar.objects.unfinished()
        .filter(pk=avatar_id)
        .update(status=Avatar.Status.PROCESSING, updated_at=timezone.now())
    )
    return Avatar.objects.filter(pk=avatar_id).first() if begun else None


def _decode(avatar: Avatar) -> list[Encoded]:
    try:
        decoded = sandbox.make_thumbnails(read_upload(avatar.upload), avatar.crop)
    except FileNotFoundError as error:
        raise Refusal("upload_lost", "The upload got lost on our side. Please upload it again.") from error
    except DecoderLostError as error:
        raise Transient(str(error)) from error
    except RuntimeError:
        # A fault of ours: the person is told, and the error goes on to where operators look.
        _reject(
            avatar, Refusal("internal_error", "Something went wrong on our side. Please try again later.")
        )
        raise
    logger.info(
        "decoded avatar %s: %.0f ms, %.0f MB",
        avatar.public_id,
        decoded.cost.cpu_seconds * 1000,
        decoded.cost.peak_bytes / 1e6,
    )
    return decoded.thumbnails


def _publish(avatar: Avatar, encoded: Iterable[Encoded], *, from_statuses: set[str]) -> bool:
    """Write the thumbnails, then bring all of them into use at once; returns whether they are."""
    thumbnails = write_thumbnails(encoded)
    names = [each.file for each in thumbnails]
    with transaction.atomic():
        published = _may_publish(avatar, from_statuses)
        if published:
            claim(PUBLIC, names)
            avatar.thumbnails.all().delete()  # those of a run before; the trigger makes their files loose
            discard_later()
            for each in thumbnails:
                each.avatar = avatar
            Thumbnail.objects.bulk_create(thumbnails)
            _settle(avatar)
    if not published:
        abandon(names)
    return published


def _adopt(avatar: Avatar) -> bool:
    """Take over the thumbnails in use, when they show the same square of the same bytes; returns whether that was so."""
    with transaction.atomic():
        if not _may_publish(avatar, {Avatar.Status.PROCESSING}):
            return True  # nothing is left to do
        twin = (
            Avatar.objects.of(avatar.owner_id)
            .ready()
            .filter(
                digest=avatar.digest,
                crop_x=avatar.crop_x,
                crop_y=avatar.crop_y,
                crop_size=avatar.crop_size,
            )
            .first()
        )
        if twin is None:
            return False
        twin.thumbnails.update(avatar=avatar)
        _settle(avatar)
    return True


def _may_publish(avatar: Avatar, from_statuses: set[str]) -> bool:
    """Tell whether this avatar may come into use now; one that a newer one has outrun is superseded.

    To be called in a transaction, which holds the person's lock from here on.
    """
    if not lock_avatars_of(avatar.owner_id):
        return False
    if not Avatar.objects.filter(pk=avatar.pk, status__in=from_statuses).exists():
        return False
    if Avatar.objects.of(avatar.owner_id).ready().filter(pk__gt=avatar.pk).exists():
        _supersede(avatar)
        return False
    return True


def _settle(avatar: Avatar) -> None:
    """Mark the avatar as ready and all older ones as superseded."""
    older = Avatar.objects.of(avatar.owner_id).filter(pk__lt=avatar.pk)
    for each in older.exclude(status__in=[Avatar.Status.SUPERSEDED, Avatar.Status.REJECTED]):
        _supersede(each)
    Avatar.objects.filter(pk=avatar.pk).update(status=Avatar.Status.READY, updated_at=timezone.now())


def _supersede(avatar: Avatar) -> None:
    avatar.thumbnails.all().delete()
    # Emptying the name makes the upload a loose file, by the trigger.
    Avatar.objects.filter(pk=avatar.pk).update(
        status=Avatar.Status.SUPERSEDED, upload="", updated_at=timezone.now()
    )
    discard_later()


def _reject(avatar: Avatar, refusal: Refusal) -> None:
    """Write the refusal down; the upload stays in quarantine for a while, for whoever looks into it."""
    Avatar.objects.unfinished().filter(pk=avatar.pk).update(
        status=Avatar.Status.REJECTED,
        error_code=refusal.code,
        error_detail=refusal.detail,
        updated_at=timezone.now(),
    )
