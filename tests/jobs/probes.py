"""Tasks for tests of what people do to jobs."""

from typing import Any

from celery import shared_task

from proj.jobs import operations
from proj.jobs.errors import Permanent, Transient

LIMITS = {"queue": "default", "soft_time_limit": 5, "time_limit": 10}


@shared_task(name="jobprobes.add", **LIMITS)
def add(x: int, y: int = 0) -> int:
    """Return the sum."""
    return x + y


@shared_task(name="jobprobes.total", **LIMITS)
def total(numbers: list[int]) -> int:
    """Return the sum of a list."""
    return sum(numbers)


@shared_task(name="jobprobes.refuse", subject="order", **LIMITS)
def refuse(order_id: int) -> None:
    """Fail for good."""
    raise Permanent(f"order {order_id} is refused")


@shared_task(name="jobprobes.busy", retry_jitter=False, **LIMITS)
def busy() -> None:
    """Fail in passing, again and again."""
    raise Transient("the provider is busy")


@shared_task(name="jobprobes.again", **LIMITS)
def again() -> None:
    """Enqueue itself, for ever."""
    again.delay()


@shared_task(name="jobprobes.stops", bind=True, **LIMITS)
def stops(self: Any, *, checkpoint: str) -> str:
    """Be asked to stop while it runs, and come to a checkpoint or to the end."""
    answers = operations.cancel([self.request.id])
    if checkpoint == "progress":
        self.progress(1, 2, "halfway")
    elif checkpoint == "checkpoint":
        self.checkpoint()
    return str(answers[self.request.id])


@shared_task(name="jobprobes.stops_late", bind=True, retry_jitter=False, retry_backoff=300, **LIMITS)
def stops_late(self: Any, runs: str) -> str:
    """Be asked to stop, and ask for another try instead."""
    operations.cancel([self.request.id])
    raise Transient(runs)
