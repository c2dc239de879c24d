from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from media import pipeline
from media.models import Avatar

# Processing takes a second; an honest backlog of minutes only gets a message twice, and the second does nothing.
STUCK_AFTER = timedelta(minutes=5)
# One sweep enqueues so many; there is another one in a minute.
SWEEP = 1000
# Started again for so long without an end, it never will.
GIVE_UP_AFTER = timedelta(hours=24)
# A refused upload is kept so long for whoever looks into the refusal.
REFUSED_UPLOADS_KEPT = timedelta(days=7)


def resume_stuck_avatars(older_than: timedelta = STUCK_AFTER) -> int:
    """Enqueue again what has not moved for a while: its message was lost, or its worker.

    Args:
        older_than: an avatar that moved later than this long ago is left alone.

    Returns:
        How many were enqueued, at most ``SWEEP``; those given up are not counted.
    """
    now = timezone.now()
    stuck = Avatar.objects.unfinished().filter(updated_at__lt=now - older_than)
    stuck.filter(created_at__lt=now - GIVE_UP_AFTER).update(
        status=Avatar.Status.REJECTED,
        error_code="gave_up",
        error_detail="Something went wrong on our side. Please upload it again.",
        updated_at=now,
    )
    resumed = 0
    for avatar_id in stuck.order_by("pk").values_list("pk", flat=True)[:SWEEP]:
        with transaction.atomic():
            # Locked and asked again: two sweeps at once enqueue it once.
            avatar = stuck.select_for_update(skip_locked=True).filter(pk=avatar_id).first()
            if avatar is None:
                continue
            avatar.task_id = pipeline.process(avatar.pk)
            avatar.save(update_fields=["task_id", "updated_at"])
            resumed += 1
    return resumed


def reprocess_avatar(avatar_id: int) -> bool:
    """Process an upload once more: make a ready avatar's thumbnails anew, or give a refused upload another chance.

    Returns:
        False when there is nothing to do: it is unfinished anyway, superseded, or its upload is gone.
    """
    with transaction.atomic():
        avatar = Avatar.objects.select_for_update().exclude(upload="").filter(pk=avatar_id).first()
        if avatar is None or avatar.is_unfinished:
            return False
        if avatar.status == Avatar.Status.READY:
            pipeline.regenerate(avatar.pk)
            return True
        avatar.status, avatar.error_code, avatar.error_detail = Avatar.Status.QUEUED, "", ""
        avatar.task_id = pipeline.process(avatar.pk)
        avatar.save(update_fields=["status", "error_code", "error_detail", "task_id", "updated_at"])
    return True


def purge_refused_uploads(limit: int, now: datetime) -> int:
    """Let go of at most ``limit`` uploads that were refused long ago; returns how many.

    The avatars stay, with their reasons. The files become loose and are deleted with the others.
    """
    expired = (
        Avatar.objects.filter(status=Avatar.Status.REJECTED, updated_at__lt=now - REFUSED_UPLOADS_KEPT)
        .exclude(upload="")
        .order_by("pk")
        .values("pk")[:limit]
    )
    return Avatar.objects.filter(pk__in=expired).update(upload="")
