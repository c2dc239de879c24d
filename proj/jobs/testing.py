"""For tests: run what is owed in this process, as a worker would, without a broker and without eager mode.

    def test_an_order_is_paid(client):
        client.post("/api/v1/orders", ...)                              # enqueues the first step
        assert_enqueued("orders.validate_order", args=[order.pk])
        drain()                                                         # runs it, and every step after it
        assert order.status == "paid"

What is enqueued is a row, so all of this works inside a test's own transaction, which is never committed, as well as
in transactional tests. A job goes through the ledger and through Celery's own request and tracer: its claim, its retries,
chains, chords and errbacks are those of production. Two things are not: a time limit strikes nobody, and a test that
breaks its transaction has broken it for the jobs too.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from unittest import mock

from celery import Task, current_app, states
from celery.concurrency.base import BasePool, apply_target
from celery.exceptions import Retry, TaskRevokedError
from celery.result import AsyncResult
from celery.worker.request import Request
from django.db.models import QuerySet
from kombu.message import Message

from proj.jobs import bell, ledger
from proj.jobs.describing import arguments_of
from proj.jobs.models import Job, PausedQueue, State


@dataclass(frozen=True)
class Ran:
    """A job that was run, and what became of it: SUCCESS, FAILURE, REVOKED, or RETRY if it waits for another try."""

    id: str
    task: str
    args: list[Any]
    kwargs: dict[str, Any]
    state: str
    result: Any  # what it returned, or the exception that ended it


def drain(*, queue: str | None = None, ahead: bool = False, limit: int = 1000) -> list[Ran]:
    """Run what is owed until nothing is, the most urgent first, with everything that follows from it.

    Args:
        queue: only the jobs of this queue.
        ahead: also what waits for its time (a countdown, the next try), as if its time had come.
        limit: how many runs are too many.

    Returns:
        What was run, in order. A job that failed is not raised: look at its state.

    Raises:
        AssertionError: after ``limit`` runs something is still owed: it goes round in circles.
        LookupError: a task is not known here; its module was not imported.

    """
    ran: list[Ran] = []
    while (job := _next(queue, ahead=ahead)) is not None:
        if len(ran) == limit:
            raise AssertionError(f"still not done after {limit} jobs; the next is {job}")
        ran.append(run_job(job))
    return ran


def perform(task: Task[Any, Any] | str, *args: Any, **kwargs: Any) -> Any:
    """Enqueue one task, run it as a worker would, and return what it returns.

    Nothing else is run: what it enqueues is owed, and may be asserted or drained.

    Raises:
        Exception: what the task ended with, from its stored result; ``celery.exceptions.Retry`` when it waits for
            another try.

    """
    with without_broker():
        enqueued = current_app.tasks[_name(task)].apply_async(args, kwargs)
    return _outcome(run_job(Job.objects.get(pk=enqueued.id)))


def enqueued(task: Task[Any, Any] | str | None = None, *, queue: str | None = None) -> list[Job]:
    """Return the jobs that wait, in the order they were enqueued: of one task, in one queue, or all."""
    jobs = _waiting(queue)
    return list((jobs if task is None else jobs.filter(task=_name(task))).order_by("created_at"))


def assert_enqueued(
    task: Task[Any, Any] | str,
    *,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    queue: str | None = None,
) -> Job:
    """Return the job that waits to run ``task``; what is not given may be anything.

    Raises:
        AssertionError: there is none; it says what waits instead.

    """
    for job in enqueued(task, queue=queue):
        sent_args, sent_kwargs = arguments_of(job)
        if (args is None or list(args) == sent_args) and (kwargs is None or dict(kwargs) == sent_kwargs):
            return job
    there = [f"{job.task} {arguments_of(job)} in {job.queue}" for job in enqueued()]
    raise AssertionError(f"{_name(task)} is not enqueued like that; what waits: {there or 'nothing'}")


@contextmanager
def without_broker() -> Iterator[None]:
    """Ring for nothing: what is enqueued is only recorded, as in the moments when the broker is away."""
    with mock.patch.object(bell, "is_silent", return_value=True):
        yield


def run_job(job: Job) -> Ran:
    """Deliver a job's message once to a worker in this process.

    Raises:
        LookupError: the task is not known here.

    """
    if job.task not in current_app.tasks:
        raise LookupError(f"{job.task} is not known here: import the module that defines it")
    args, kwargs = arguments_of(job)
    with without_broker():
        request = Request(
            Message(
                body=job.message["body"],
                content_type=job.message["content_type"],
                content_encoding=job.message["content_encoding"],
                headers=job.message["headers"],
                properties=job.message["properties"],
                delivery_info={"exchange": "", "routing_key": job.queue},
            ),
            app=current_app._get_current_object(),  # type: ignore[attr-defined]  # noqa: SLF001  the app, not its proxy
        )
        with suppress(TaskRevokedError):  # it has expired, and its result says so
            request.execute_using_pool(_InProcess())
    told: AsyncResult[Any] = AsyncResult(job.pk)
    return Ran(job.pk, job.task, args, kwargs, told.state, told.result)


class _InProcess(BasePool):
    """Celery's solo pool, without what that one does to a process that it thinks is a worker."""

    body_can_be_buffer = True

    def on_apply(self, target: Any, *args: Any, **options: Any) -> Any:
        return apply_target(target, *args, **options)


def _next(queue: str | None, *, ahead: bool) -> Job | None:
    now: datetime = ledger.now()
    due = (
        _waiting(queue)
        .filter(available_at__lte=now)
        .order_by("priority", "available_at", "created_at")
        .first()
    )
    if due is not None or not ahead:
        return due
    later = _waiting(queue).order_by("available_at").first()
    if later is not None:
        ledger.hasten([later.pk])
    return later


def _waiting(queue: str | None) -> QuerySet[Job]:
    jobs = Job.objects.filter(state=State.QUEUED).exclude(queue__in=PausedQueue.objects.values("queue"))
    return jobs if queue is None else jobs.filter(queue=queue)


def _outcome(ran: Ran) -> Any:
    if ran.state == states.RETRY:
        raise Retry(Job.objects.get(pk=ran.id).error)
    if isinstance(ran.result, Exception):
        raise ran.result
    return ran.result


def _name(task: Task[Any, Any] | str) -> str:
    return task if isinstance(task, str) else str(task.name)
