"""What is enqueued for an avatar. Tasks are named, not imported: services enqueue them and they call services."""

from celery import signature


def process(avatar_id: int) -> str:
    """Enqueue the processing of an upload, as part of the caller's transaction; returns the task's id."""
    return str(signature("media.process_avatar", args=(avatar_id,)).apply_async().id)


def regenerate(avatar_id: int) -> str:
    """Enqueue the making of an avatar's thumbnails anew; returns the task's id."""
    return str(signature("media.regenerate_thumbnails", args=(avatar_id,)).apply_async().id)
