"""Celery with django-celery-results, as their documentation says: every setting is the default."""

import os
from collections.abc import Sequence

import django

django.setup()

from celery import Celery, Task, chain, group  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django_celery_results.models import TaskResult  # noqa: E402

from benchmarks.job_runtimes import marks  # noqa: E402

BACKEND: str | None = os.environ.get("BENCH_BACKEND") or None
app = Celery("stock", broker=os.environ["CELERY_BROKER_URL"], backend=BACKEND)
PROCESSES: Sequence[Sequence[str]] = (
    ("-m", "celery", "-A", __name__, "worker", "--pool=prefork", "--concurrency=2", "--loglevel=INFO"),
)


@app.task(name="benchmark.noop")
def noop(number: int) -> int:
    marks.leave(number)
    return number


@app.task(name="benchmark.step")
def step(number: int) -> int:
    """Return what the next step of the chain is to get."""
    marks.leave(number)
    return number


def prepare() -> None:
    call_command("migrate", verbosity=0)


def enqueue(number: int) -> str:
    return str(noop.delay(number).id)


def fill(numbers: range) -> None:
    with app.producer_or_acquire() as producer, producer.batch(max_size=500):
        for number in numbers:
            Task.apply_async(noop, (number,), producer=producer)


def enqueue_group(numbers: range) -> None:
    group(noop.s(number) for number in numbers).delay()


def enqueue_chain(number: int) -> None:
    chain(step.s(number), step.s(), step.s(), step.s(), step.s()).delay()


def results(ids: Sequence[str]) -> dict[str, float]:
    """When each was stored; empty without a result backend."""
    rows = TaskResult.objects.filter(task_id__in=ids, status="SUCCESS").values_list("task_id", "date_done")
    return {task_id: done.timestamp() for task_id, done in rows}
