"""Which jobs are meant: the filters of the command line, the admin and the API."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Q, QuerySet

from proj.jobs import ledger
from proj.jobs.models import Job, State

#: Ids in one transaction: it locks their rows, and workers wait for none of them longer than some 50 ms.
BATCH = 500


class Owed(StrEnum):
    """What people call the states of a job that has not succeeded."""

    SCHEDULED = "scheduled"  # waits for its time
    QUEUED = "queued"  # waits for a worker
    RUNNING = "running"
    RETRYING = "retrying"  # has failed in passing, and waits for its next try
    DEAD = "dead"  # has failed for good, and is kept


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Jobs that are owed, narrowed by whatever is given.

    ``task`` ends with ``*`` for all tasks whose name begins so; ``error`` is any part of the error, in any case.
    """

    ids: Sequence[str] = ()
    state: str | None = None
    task: str | None = None
    queue: str | None = None
    subject: str | None = None
    error: str | None = None

    def __bool__(self) -> bool:
        """Whether it narrows anything: an empty selection is every job there is."""
        return any([self.ids, self.state, self.task, self.queue, self.subject, self.error])

    def jobs(self) -> QuerySet[Job]:
        """Return the jobs, newest first."""
        jobs = Job.objects.order_by("-created_at", "-pk")
        if self.ids:
            jobs = jobs.filter(pk__in=self.ids)
        if self.state:
            jobs = jobs.filter(in_state(Owed(self.state)))
        if self.task:
            exact, prefix = Q(task=self.task), Q(task__startswith=self.task.rstrip("*"))
            jobs = jobs.filter(prefix if self.task.endswith("*") else exact)
        if self.queue:
            jobs = jobs.filter(queue=self.queue)
        if self.subject:
            jobs = jobs.filter(subject=self.subject)
        if self.error:
            jobs = jobs.filter(error__icontains=self.error)
        return jobs

    def job_ids(self, *, among: Q) -> list[str]:
        """Return the ids of those jobs that also meet a condition; a million of them take 100 MB."""
        return list(self.jobs().filter(among).values_list("pk", flat=True))


def in_state(state: Owed) -> Q:
    """Return the condition for a state, at the database's time."""
    match state:
        case Owed.RUNNING | Owed.DEAD:
            return Q(state=state.value)
        case Owed.RETRYING:
            return Q(state=State.QUEUED) & ~Q(error="")
        case Owed.SCHEDULED:
            return Q(state=State.QUEUED, error="", available_at__gt=ledger.now())
        case Owed.QUEUED:
            return Q(state=State.QUEUED, error="", available_at__lte=ledger.now())


def batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut ids into bites, one for each transaction."""
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]
