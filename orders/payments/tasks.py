"""What is asked of the payment provider in the background. Each may run twice, late or beside itself.

The limits: a request ends after 30 s at the latest, by the client's own time-outs; a task that makes one has a minute.
"""

from datetime import timedelta

from celery import shared_task

from orders.payments import processing, reconciling, refunding, resolving
from proj.jobs.task import JobTask


@shared_task(
    base=JobTask, name="payments.send_refund", subject="refund", queue="io", soft_time_limit=60, time_limit=75
)
def send_refund(refund_id: int) -> None:
    """Ask the provider to give money back; asked again, it is the same refund."""
    refunding.send_refund(refund_id)


@shared_task(
    base=JobTask,
    name="payments.resolve_unknown",
    queue="io",
    schedulable=True,
    soft_time_limit=240,
    time_limit=300,
)
def resolve_unknown() -> int:
    """Look up the payments and refunds whose outcome nobody has learnt yet."""
    return resolving.resolve_unknown()


@shared_task(
    base=JobTask,
    bind=True,
    name="payments.process_event",
    subject="event",
    queue="io",
    soft_time_limit=60,
    time_limit=75,
)
def process_event(self: JobTask, event_id: int) -> str:
    """Fetch what an event of the provider is about, and settle it as it is there."""
    is_last_try = self.request.retries >= self.max_retries
    return processing.process_event(event_id, is_last_try=is_last_try)


# 100,000 payments take some minutes: an hour is a provider that answers slowly.
@shared_task(
    base=JobTask,
    name="payments.reconcile",
    queue="bulk",
    schedulable=True,
    soft_time_limit=3600,
    time_limit=3700,
)
def reconcile(days: int = 3) -> dict[str, int]:
    """Compare the provider's last days with ours; what differs becomes an incident, and nothing is repaired."""
    report = reconciling.reconcile(reconciling.Window.reaching_back(timedelta(days=days)))
    return {"differences": len(report.differences), "open": report.open}
