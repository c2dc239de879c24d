"""Files in storage, under the one rule of :mod:`media.models`: a file that no row publishes is a loose file."""

import hashlib
import logging
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.files.base import ContentFile, File
from django.core.files.storage import storages
from django.db import transaction
from django.utils import timezone

from media.models import PUBLIC, QUARANTINE, LooseFile, Thumbnail
from media.wire import Encoded
from proj.jobs.errors import Transient

# A writer publishes within a minute (its task's hard limit) or never.
WRITERS_TIME = timedelta(hours=1)
# What one request or task deletes on its way; more is left to the nightly clean-up.
BATCH = 64

logger = logging.getLogger(__name__)


def write_upload(file: "File[Any]") -> tuple[str, str]:
    """Write an upload into quarantine under a random key, as a loose file.

    Args:
        file: as it arrived. What its sender called it goes nowhere.

    Returns:
        The key, and the SHA-256 digest of the bytes in hexadecimal.
    """
    key = secrets.token_hex(16)
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    _announce(QUARANTINE, [key])
    file.seek(0)
    storages[QUARANTINE].save(key, file)
    return key, digest.hexdigest()


def read_upload(key: str) -> bytes:
    """Return an upload's bytes.

    Raises:
        FileNotFoundError: it is gone.
        Transient: the storage has trouble.
    """
    try:
        with storages[QUARANTINE].open(key) as file:
            return bytes(file.read())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Transient(f"cannot read the upload: {error}") from error


def write_thumbnails(encoded: Iterable[Encoded]) -> list[Thumbnail]:
    """Write finished thumbnails under new names, as loose files.

    Returns:
        Rows that are not saved yet and belong to no avatar.

    Raises:
        Transient: the storage has trouble.
    """
    token = secrets.token_hex(16)  # 128 random bits: who does not know the address does not find the picture
    contents = {f"{token[:2]}/{token}-{each.size}.{each.format}": each for each in encoded}
    _announce(PUBLIC, contents)
    try:
        for name, each in contents.items():
            storages[PUBLIC].save(name, ContentFile(each.content))
    except OSError as error:
        raise Transient(f"cannot write a thumbnail: {error}") from error
    return [
        Thumbnail(
            size=each.size,
            format=each.format,
            file=name,
            width=each.width,
            height=each.height,
            bytes=len(each.content),
        )
        for name, each in contents.items()
    ]


def claim(storage: str, names: Sequence[str]) -> None:
    """Take loose files into use, as part of the caller's transaction, which writes the rows that name them.

    Raises:
        Transient: they took so long to write that the clean-up has deleted them.
    """
    claimed, _ = LooseFile.objects.filter(storage=storage, name__in=names).delete()
    if claimed != len(names):
        raise Transient("the files were deleted before they could be published")


def discard_later() -> None:
    """Delete what the caller's transaction has let go, once it is committed.

    Trouble is logged and no more: the files are loose, and the next clean-up deletes them.
    """
    transaction.on_commit(lambda: discard_loose_files(BATCH, timezone.now()), robust=True)


def abandon(names: Iterable[str]) -> None:
    """Give up thumbnails that were written and will not be published; deletes them at once."""
    now = timezone.now()
    LooseFile.objects.filter(storage=PUBLIC, name__in=list(names)).update(due_at=now)
    discard_loose_files(BATCH, now)


def discard_loose_files(limit: int, now: datetime) -> int:
    """Delete at most ``limit`` loose files that are due at ``now``; returns how many."""
    due = list(LooseFile.objects.filter(due_at__lte=now).order_by("due_at")[:limit])
    for loose in due:
        loose.delete_file()
    return len(due)


def _announce(storage: str, names: Iterable[str]) -> None:
    due_at = timezone.now() + WRITERS_TIME
    LooseFile.objects.bulk_create(LooseFile(storage=storage, name=name, due_at=due_at) for name in names)
