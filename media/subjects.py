"""Tells whose avatar a task works on, for the jobs API."""

from django.urls import reverse

from media.models import Avatar
from proj.jobs import subjects


def find_avatar(task_id: str) -> subjects.Subject | None:
    """Return the avatar that the task processes, or None."""
    avatar = Avatar.objects.filter(task_id=task_id).first()
    if avatar is None:
        return None
    return subjects.Subject(f"avatar:{avatar.pk}", avatar.owner_id, reverse("media:profile"))
