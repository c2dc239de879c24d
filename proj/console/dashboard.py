"""The first page of the admin: what is wrong, worst first and in words; and then the figures."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from celery import current_app
from django.contrib.auth.models import AnonymousUser, User
from kombu.exceptions import OperationalError

from proj.console import facts, incidents
from proj.console.facts import Attendant, Dead, Depth, Minutes
from proj.console.incidents import Incident
from proj.console.sparkline import Sparkline, draw
from proj.console.timetable import Line, timetable
from proj.console.troubles import LINES, SLOW, Trouble, judge
from proj.jobs import bell, ledger, pausing
from proj.jobs.broker import Broker
from proj.jobs.models import AuditEntry, Operation, PausedQueue, TaskRate
from proj.jobs.models.audit import BY_HAND
from proj.queues import PURPOSES


@dataclass(frozen=True)
class Queue:
    """A line about a queue."""

    name: str
    purpose: str
    depth: Depth
    held: int | None  # messages in the broker; None: it does not answer
    consumers: int  # workers that take from it
    slots: int  # jobs they run at once
    paused: PausedQueue | None
    curve: Sparkline
    ended: int  # in the last hour
    failed: int
    age: timedelta | None  # how long the one that waits longest has waited

    @property
    def level(self) -> str:
        if self.paused is not None:
            return "warn"
        if self.depth.waiting and not self.consumers:
            return "bad"
        return "warn" if not self.consumers or (self.age or timedelta()) > SLOW else "good"


@dataclass(frozen=True)
class Dashboard:
    now: datetime
    queues: Sequence[Queue]
    everybody: Sequence[Attendant]  # workers and beats
    dead: Dead
    slowed: Sequence[TaskRate]  # tasks whose jobs wait for their turn
    schedules: Sequence[Line] | None  # None: not for this person's eyes, here and below
    incidents: Mapping[str, Sequence[Incident]]
    operations: Sequence[Operation]
    audit: Sequence[AuditEntry] | None
    troubles: Sequence[Trouble] = field(default_factory=list)


def gather(user: User | AnonymousUser) -> Dashboard:
    """Collect what a person may see of how things are."""
    now = ledger.now()
    everybody = facts.attendants()
    dashboard = Dashboard(
        now=now,
        queues=_queues(now, everybody),
        everybody=everybody,
        dead=facts.dead(),
        slowed=facts.slowed(now),
        schedules=timetable(facts.schedules(), now)
        if user.has_perm("django_celery_beat.view_periodictask")
        else None,
        incidents={
            source.name: source.look(LINES + 1)
            for source in incidents.sources()
            if user.has_perm(source.permission)
        },
        operations=list(
            Operation.objects.filter(state=Operation.State.RUNNING).order_by("advanced_at")[:LINES]
        ),
        audit=list(AuditEntry.objects.filter(origin__in=BY_HAND).order_by("-id")[:LINES])
        if user.has_perm("jobs.view_auditentry")
        else None,
    )
    return replace(dashboard, troubles=judge(dashboard))


def _queues(now: datetime, everybody: Sequence[Attendant]) -> list[Queue]:
    paused = pausing.paused()
    names = [*PURPOSES, *sorted(paused.keys() - PURPOSES.keys())]
    depths, curves, held = facts.depths(names), facts.minutes(now), _held(names)
    queues = []
    for name in names:
        ended, failed = curves.get(name, Minutes([0] * facts.MINUTES, [0] * facts.MINUTES))
        takers = [worker for worker in everybody if name in worker.takes and not worker.is_gone]
        since = depths[name].since
        queues.append(
            Queue(
                name=name,
                purpose=PURPOSES.get(name, "not in the settings any more"),
                depth=depths[name],
                held=held.get(name),
                consumers=len(takers),
                slots=sum(worker.size for worker in takers),
                paused=paused.get(name),
                curve=draw(ended, failed),
                ended=sum(ended),
                failed=sum(failed),
                age=max(now - since, timedelta()) if since else None,
            )
        )
    return queues


#: A connection to the broker for each thread of the web server: they cannot share one.
_looking = threading.local()


def _held(queues: Sequence[str]) -> Mapping[str, int]:
    if bell.is_silent():
        return {}
    try:
        if not hasattr(_looking, "broker"):
            _looking.broker = Broker(current_app._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001
        return dict(_looking.broker.count(queues))
    except OperationalError as error:
        bell.note_absence(error)
        return {}
