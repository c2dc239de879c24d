"""This project's ledger: its settings, its app, its workers and its beat, whose dispatcher is part of the price."""

from collections.abc import Sequence

import django

django.setup()

from celery import chain, group, shared_task  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import transaction  # noqa: E402
from django_celery_results.models import TaskResult  # noqa: E402

from benchmarks.job_runtimes import marks  # noqa: E402
from proj.celery import app  # noqa: E402

__all__ = ["app"]

# Longer than a worker is ever stopped while others have their turn.
LIMITS = {"queue": "default", "soft_time_limit": 1700, "time_limit": 1800}
_WORKER = ("-m", "celery", "-A", __name__)
PROCESSES: Sequence[Sequence[str]] = (
    (*_WORKER, "worker", "--pool=prefork", "--concurrency=2", "--queues=default", "--loglevel=INFO"),
    (*_WORKER, "beat", "--pidfile=", "--loglevel=INFO"),
)


@shared_task(name="benchmark.noop", **LIMITS)
def noop(number: int) -> int:
    """Do nothing, and leave a mark."""
    marks.leave(number)
    return number


@shared_task(name="benchmark.step", **LIMITS)
def step(number: int) -> int:
    """Return what the next step of the chain is to get."""
    marks.leave(number)
    return number


def prepare() -> None:
    call_command("migrate", verbosity=0)


def enqueue(number: int) -> str:
    return str(noop.delay(number).id)


def fill(numbers: range) -> None:
    with transaction.atomic():
        for number in numbers:
            noop.delay(number)


def enqueue_group(numbers: range) -> None:
    group(noop.s(number) for number in numbers).delay()


def enqueue_chain(number: int) -> None:
    chain(step.s(number), step.s(), step.s(), step.s(), step.s()).delay()


def results(ids: Sequence[str]) -> dict[str, float]:
    rows = TaskResult.objects.filter(task_id__in=ids, status="SUCCESS").values_list("task_id", "date_done")
    return {task_id: done.timestamp() for task_id, done in rows}
