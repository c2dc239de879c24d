"""What is to be known about a job that may not be running: from its row, its queue, its claimant and the broker."""

from bisect import bisect
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django_celery_results.models import TaskResult

from proj.jobs import bell, health, ledger
from proj.jobs.ledger.statements import run
from proj.jobs.models import Job, PausedQueue, State, TaskRate

#: Jobs in front of one are counted up to here: "more than 1,000" tells as much, and costs 3 ms where 10,000 cost 30.
MOST_AHEAD = 1_000


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that the answer of :mod:`proj.jobs.why` depends on."""

    now: datetime
    job: Job | None = None
    result: TaskResult | None = None
    ahead: int = 0  # jobs that its queue hands out before it, counted up to MOST_AHEAD
    claimant_is_there: bool = True
    broker_is_there: bool = True
    consumed: frozenset[str] | None = None  # the queues that workers take from; None: nobody was asked
    paused: PausedQueue | None = None  # who has paused its queue, and why
    rate: TaskRate | None = None  # how often its task may begin, if it waits for its turn


def gather(job_id: str, *, ask_workers: bool) -> Facts:
    """Collect the facts about a job."""
    now = ledger.now()
    job = Job.objects.filter(pk=job_id).first()
    if job is None:
        return Facts(now=now, result=TaskResult.objects.filter(task_id=job_id).first())
    if job.state == State.RUNNING:
        return Facts(now=now, job=job, claimant_is_there=_claimant_is_there(job))
    if job.state == State.DEAD or job.available_at > now:
        booked = job.state == State.QUEUED and (job.progress or {}).get("state") == "BOOKED"
        return Facts(now=now, job=job, rate=TaskRate.objects.filter(pk=job.task).first() if booked else None)
    paused = PausedQueue.objects.filter(pk=job.queue).first()
    if paused is not None:
        return Facts(now=now, job=job, paused=paused)
    broker_is_there, consumed = _ask_workers() if ask_workers else (not bell.is_silent(), None)
    return Facts(
        now=now, job=job, ahead=_ahead(job), broker_is_there=broker_is_there, consumed=consumed
    )  # fmt: skip


def _claimant_is_there(job: Job) -> bool:
    """Whether the database connection of the claimant lives; see :func:`proj.jobs.ledger.orphans`."""
    return bool(
        run(
            "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND backend_start <= %s",
            [job.claimed_by, job.claimed_at],
        )
    )


def _ahead(job: Job) -> int:
    """Count the jobs that the broker hands out before this one: more urgent, or as urgent and rung before it."""
    if job.published_at is None:
        return 0
    steps = settings.CELERY_BROKER_TRANSPORT_OPTIONS["priority_steps"]
    step = bisect(steps, job.priority)
    from_, below = steps[step - 1], steps[step] if step < len(steps) else steps[-1] + 10
    [(ahead,)] = run(
        """
        SELECT count(*) FILTER (WHERE priority < %s OR (priority < %s AND published_at < %s))
          FROM (SELECT priority, published_at FROM jobs_job
                 WHERE state = 'queued' AND queue = %s AND published_at IS NOT NULL
                 ORDER BY published_at LIMIT %s) AS first
        """,
        [from_, below, job.published_at, job.queue, MOST_AHEAD + 1],
    )
    return int(ahead)


def _ask_workers() -> tuple[bool, frozenset[str] | None]:
    """Ask whether the broker is there, and which queues the workers behind it take from."""
    try:
        health.check_broker()
        return True, frozenset(health.consumers.queues())
    except Exception:  # noqa: BLE001  whatever it is, it keeps messages from arriving
        return False, None
