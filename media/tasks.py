"""The tasks of avatars. Each may run twice."""

from celery import shared_task

from media import services
from proj.jobs.task import JobTask


# Soft limit: twice the 15 s after which a decoder is given up, and time for storage. It is a net under the nets.
@shared_task(
    base=JobTask,
    name="media.process_avatar",
    subject="avatar",
    queue="compute",
    bind=True,
    soft_time_limit=45,
    time_limit=60,
)
def process_avatar(self: JobTask, avatar_id: int) -> str:
    """Make an upload the person's avatar, or refuse it. Returns the status it then has."""
    return services.process_avatar(avatar_id, self.progress)


@shared_task(
    base=JobTask,
    name="media.regenerate_thumbnails",
    subject="avatar",
    queue="bulk",
    soft_time_limit=45,
    time_limit=60,
)
def regenerate_thumbnails(avatar_id: int) -> bool:
    """Make the thumbnails of a ready avatar anew. Returns False when it is not in use any more."""
    return services.regenerate_thumbnails(avatar_id)


@shared_task(
    base=JobTask,
    name="media.resume_stuck_avatars",
    queue="default",
    schedulable=True,
    soft_time_limit=50,
    time_limit=60,
)
def resume_stuck_avatars() -> int:
    """Enqueue again the uploads that have not moved for a while. Returns how many."""
    return services.resume_stuck_avatars()
