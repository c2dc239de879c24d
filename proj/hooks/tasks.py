"""What is sent in the background. Each may run twice, late or beside itself.

A request ends after 15 s, by the client's own limits, and looking up its host after half a minute. Their queue is their own: no
payment and no mail waits behind a receiver that hangs.
"""

from celery import shared_task

from proj.hooks import delivering, replaying
from proj.jobs.task import JobTask


@shared_task(
    base=JobTask, name="hooks.deliver", subject="delivery", queue="hooks", soft_time_limit=60, time_limit=75
)
def deliver(delivery_id: int) -> None:
    """Send one event to one endpoint; in vain, it is tried again by the delivery's own schedule."""
    delivering.deliver(delivery_id)


@shared_task(
    base=JobTask,
    name="hooks.resume_waiting",
    queue="hooks",
    schedulable=True,
    soft_time_limit=60,
    time_limit=75,
)
def resume_waiting() -> int:
    """Enqueue the deliveries that are due and that no job is owed for."""
    return replaying.resume_waiting()
