"""A worker in this process: Celery's own request and trace around each job, with nothing between them and a test."""

from dataclasses import dataclass, field

from celery import current_app, shared_task
from celery.concurrency.solo import TaskPool
from celery.exceptions import TaskRevokedError
from celery.worker.request import Request
from django.utils import timezone
from django_celery_results.models import TaskResult
from kombu.message import Message

from proj.jobs.models import Job, State

LIMITS = {"queue": "default", "soft_time_limit": 5, "time_limit": 10}


@shared_task(name="tests.inline.one", **LIMITS)
def one():
    """Return one."""
    return 1


@shared_task(name="tests.inline.follow", **LIMITS)
def follow(given):
    """Return what was handed on."""
    return given


def the_job() -> Job:
    """Return the one job that there is."""
    return Job.objects.get()


def stored(result) -> str | None:
    """Return the state that is stored for a task, if any."""
    return TaskResult.objects.filter(task_id=result.id).values_list("status", flat=True).first()


def raising(error):
    """Return the body of a bound task that raises an error."""

    def body(self):
        raise error

    return body


@dataclass
class InlineWorker:
    """Takes what is due from the ledger, as if the bell had been rung for it, and remembers what it told the broker."""

    pool: TaskPool = field(default_factory=TaskPool)
    acknowledged: list[str] = field(default_factory=list)
    rejected: list[tuple[str, bool]] = field(default_factory=list)

    def work(self, most: int = 100) -> int:
        """Run what is due until nothing is; return how many messages that took."""
        for taken in range(most):
            job = (
                Job.objects.filter(state=State.QUEUED, available_at__lte=timezone.now())
                .order_by("created_at")
                .first()
            )
            if job is None:
                return taken
            self.deliver(job)
        raise AssertionError(f"still not done after {most} messages")

    def deliver(self, job: Job) -> None:
        """Receive the job's message and do what it asks for; again, if it was delivered before."""
        content = job.message
        message = Message(
            body=content["body"],
            content_type=content["content_type"],
            content_encoding=content["content_encoding"],
            headers=content["headers"],
            properties=content["properties"],
            delivery_info={"exchange": "", "routing_key": job.queue},
        )
        request = Request(
            message,
            app=current_app._get_current_object(),
            hostname="inline@test",
            on_ack=lambda *_: self.acknowledged.append(job.pk),
            on_reject=lambda _logger, _errors, requeue: self.rejected.append((job.pk, requeue)),
        )
        try:
            request.execute_using_pool(self.pool)
        except TaskRevokedError:
            request.acknowledge()
