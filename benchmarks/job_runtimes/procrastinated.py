"""Procrastinate with its Django integration. It has no prefork pool: two worker processes stand for two children."""

import os
from collections.abc import Sequence

from django.core.management import call_command
from procrastinate.contrib.django import app

from benchmarks.job_runtimes import marks

WORKERS = int(os.environ.get("BENCH_PROCRASTINATE_WORKERS", "2"))
CONCURRENCY = os.environ.get("BENCH_PROCRASTINATE_CONCURRENCY", "1")
PROCESSES: Sequence[Sequence[str]] = (
    ("-m", "django", "procrastinate", "worker", f"--concurrency={CONCURRENCY}"),
) * WORKERS


@app.task(name="benchmark.noop")
def noop(number: int) -> int:
    marks.leave(number)
    return number


def prepare() -> None:
    call_command("migrate", verbosity=0)


def enqueue(number: int) -> str:
    return str(noop.defer(number=number))


def fill(numbers: range) -> None:
    noop.batch_defer(*({"number": number} for number in numbers))


enqueue_group = fill


def results(ids: Sequence[str]) -> dict[str, float]:
    """When each was stored as succeeded."""
    from procrastinate.contrib.django.models import ProcrastinateEvent  # noqa: PLC0415  models are ready by now

    rows = ProcrastinateEvent.objects.filter(job_id__in=ids, type="succeeded").values_list("job_id", "at")
    return {str(job_id): at.timestamp() for job_id, at in rows}
