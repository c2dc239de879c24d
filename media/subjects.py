"""Tells whose avatar a task works on, for the jobs API and the admin."""

from collections.abc import Sequence

from django.urls import reverse

from media.models import Avatar
from proj.jobs import subjects
from proj.jobs.subjects import Subject


def register_all() -> None:
    """Make known what an avatar is."""
    subjects.register("avatar", resolve_avatar, find=find_avatar, task_ids=tasks_of_avatar)


def resolve_avatar(identity: str) -> Subject | None:
    """Return the avatar with a primary key."""
    return _subject(Avatar.objects.filter(pk=identity).first() if identity.isdecimal() else None)


def find_avatar(task_id: str) -> Subject | None:
    """Return the avatar that the task processes, or None."""
    return _subject(Avatar.objects.filter(task_id=task_id).first() if task_id else None)


def tasks_of_avatar(identity: str) -> Sequence[str]:
    """Return the id of the task that processes an avatar."""
    if not identity.isdecimal():
        return []
    return list(Avatar.objects.filter(pk=identity).exclude(task_id="").values_list("task_id", flat=True))


def _subject(avatar: Avatar | None) -> Subject | None:
    if avatar is None:
        return None
    staff_url = reverse("admin:media_avatar_change", args=[avatar.pk])
    return Subject(f"avatar:{avatar.pk}", avatar.owner_id, reverse("media:profile"), staff_url)
