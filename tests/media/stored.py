"""What is stored after something was done."""

from pathlib import Path

from media.models import Avatar, Thumbnail


def status(avatar: Avatar) -> str:
    return Avatar.objects.get(pk=avatar.pk).status


def stored(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def published() -> set[str]:
    return set(Thumbnail.objects.values_list("file", flat=True))
