"""Which jobs are meant: the filters of the command line, the admin and the API."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from django.db.models import BooleanField, Q, QuerySet
from django.db.models.expressions import RawSQL

from proj.jobs import ledger
from proj.jobs.ledger.statements import as_json, legible
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

    ``task`` ends with ``*`` for all tasks whose name begins so; ``error`` is any part of the error, in any case;
    ``argument`` is the value of one argument, however deep in it, or ``name=value`` for a named one; ``since`` and ``until``
    are about when a job was enqueued.
    """

    ids: Sequence[str] = ()
    state: str | None = None
    task: str | None = None
    queue: str | None = None
    subject: str | None = None
    error: str | None = None
    argument: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def __bool__(self) -> bool:
        """Whether it narrows anything: an empty selection is every job there is."""
        return any(asdict(self).values())

    def jobs(self) -> QuerySet[Job]:
        """Return the jobs, newest first."""
        return self.narrow(Job.objects.order_by("-created_at", "-pk"))

    def narrow(self, jobs: QuerySet[Job]) -> QuerySet[Job]:
        """Return those of some jobs that are meant."""
        if self.ids:
            jobs = jobs.filter(pk__in=self.ids)
        if self.state:
            jobs = jobs.filter(in_state(Owed(self.state)))
        if self.task:
            exact, prefix = Q(task=self.task), Q(task__startswith=self.task.rstrip("*"))
            jobs = jobs.filter(prefix if self.task.endswith("*") else exact)
        plain = {
            "queue": self.queue,
            "subject": self.subject,
            "error__icontains": self.error,
            "created_at__gte": self.since,
            "created_at__lte": self.until,
        }
        jobs = jobs.filter(**{lookup: value for lookup, value in plain.items() if value})
        return jobs.filter(has_argument(self.argument)) if self.argument else jobs

    def whatever_became_of_them(self) -> QuerySet[Job]:
        """Return the jobs, whatever their state and their error are now."""
        return replace(self, state=None, error=None).jobs()

    def job_ids(self, *, among: Q) -> list[str]:
        """Return the ids of those jobs that also meet a condition; a million of them take 100 MB."""
        return list(self.jobs().filter(among).values_list("pk", flat=True))

    def as_json(self) -> dict[str, Any]:
        """Return what is given, as JSON holds it."""
        given = {name: value for name, value in asdict(self).items() if value}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.items()
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        """Return the selection that :meth:`as_json` has written."""
        moments = {name: datetime.fromisoformat(given[name]) for name in ("since", "until") if name in given}
        return cls(**{**given, **moments})

    def as_arguments(self) -> str:
        """Return the same as arguments of ``manage.py jobs``."""
        options = {name: str(value) for name, value in self.as_json().items() if name != "ids"}
        return shlex.join(
            [*self.ids, *(word for name, value in options.items() for word in (f"--{name}", value))]
        )


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


def has_argument(term: str) -> RawSQL:
    """Return the condition that a job has an argument; see :class:`Selection`.

    A value that is JSON is looked for as such and as text: ``42`` finds 42 and "42"; a list or an object only by name. There is
    no index of arguments, which every job would have to pay for: what other conditions leave is read, 0.9 s for a million.
    """
    name, named, text = legible(term).partition("=")
    values = _readings(text if named else name)
    if named:
        condition = "body -> 1 @> ANY(%s::text[]::jsonb[])"
        wanted: Any = [as_json({name: value}) for value in values]
    else:
        condition = "jsonb_path_exists(body, '$[0 to 1].** ? (@ == $wanted[*])', jsonb_build_object('wanted', %s::jsonb))"
        wanted = as_json(values)
    return RawSQL(  # noqa: S611  our own words, with parameters
        f"""
        CASE WHEN jobs_job.message ->> 'content_type' = 'application/json'
                  AND jobs_job.message ->> 'body' LIKE ANY(%s)
             THEN (SELECT {condition} FROM (SELECT (jobs_job.message ->> 'body')::jsonb AS body) AS sent)
             ELSE false END
        """,  # noqa: S608
        [[_pattern(value) for value in values], wanted],
        output_field=BooleanField(),
    )


def _pattern(value: Any) -> str:
    """Return what the text of a message is like that has a value in it: reading the text is a third of the work of parsing it."""
    if isinstance(value, list | dict):
        return "%"  # it may be spaced in other ways
    text = as_json(value)
    text = text[1:-1] if isinstance(value, str) else text
    return f"%{text.translate(_LITERALLY)}%"


_LITERALLY = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_"})


def _readings(text: str) -> list[Any]:
    """Return what a person may mean by a value: the text itself, and what it is as JSON."""
    try:
        value = json.loads(text, parse_constant=str)
    except ValueError:
        return [text]
    return [text] if value == text else [text, value]


def batches(ids: Sequence[str], most: int | None = None) -> Iterator[Sequence[str]]:
    """Cut ids into bites, one for each transaction; of at most so many, if that is fewer than is usual."""
    size = max(1, min(BATCH, most or BATCH))
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
