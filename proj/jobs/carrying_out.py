"""Operations on many jobs: begun by a person, carried out by the beats' dispatchers a bite each second, stopped at any time.

A bite is one transaction: some jobs, their entries in the audit log, and how far it has come. A beat that dies leaves it where
it was, and the next one goes on; two take turns, because the row is locked. It walks along the jobs from the oldest on and
never back, so that a job has its turn once: one that is retried and dies again is not retried for ever. Jobs that were
enqueued after it was begun are not meant.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import Q, QuerySet
from kombu.exceptions import OperationalError

from proj.jobs import audit, ledger, operations
from proj.jobs.audit import Actor
from proj.jobs.ledger import Cancelled
from proj.jobs.models import Job, Operation, State
from proj.jobs.selecting import BATCH, Selection

logger = logging.getLogger(__name__)

#: Jobs a second at most: one bite, in which no worker waits longer than some 100 ms for a row.
FASTEST = BATCH
#: Seconds that a beat may be late and still make up for: after an hour without one, nothing comes in a rush.
_MAKES_UP_FOR = timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked for."""

    verb: str  # one of AMONG
    selection: Selection
    reason: str
    per_second: int
    expected: int = 0  # jobs, as the preview said
    command: str = ""  # the command line that does the same
    terminate: bool = False  # cancel: kill the processes of those that run
    most_dead: int | None = None  # retry: stop when so many are dead again


def among(verb: str, selection: Selection) -> Q:
    """Return which jobs a verb can be done to; dead ones are cancelled only when they are named, or their state is."""
    if verb == "retry":
        return Q(state=State.DEAD)
    if verb == "bury":
        return Q(state=State.QUEUED)
    return Q() if selection.ids or selection.state else ~Q(state=State.DEAD)


def begin(order: Order, *, by: Actor) -> Operation:
    """Begin an operation; the next tick of a beat does the first bite."""
    with transaction.atomic():
        operation = Operation.objects.create(
            verb=order.verb,
            selection=order.selection.as_json(),
            options={"terminate": order.terminate} if order.terminate else {},
            command=order.command,
            reason=order.reason,
            per_second=min(max(order.per_second, 1), FASTEST),
            most_dead=order.most_dead,
            actor=by.name,
            actor_id=by.id,
            expected=order.expected,
        )
        after = {
            name: getattr(operation, name)
            for name in ("verb", "selection", "options", "per_second", "expected")
        }
        audit.record(by, "operation.begin", f"operation:{operation.pk}", reason=order.reason, after=after)
    return operation


def stop(operation_id: int, *, by: Actor, reason: str = "") -> bool:
    """Stop an operation after the bite that is being done; what is done stays done. False when it has ended."""
    with transaction.atomic():
        operation = (
            Operation.objects.select_for_update()
            .filter(pk=operation_id, state=Operation.State.RUNNING)
            .first()
        )
        if operation is None:
            return False
        _end(operation, Operation.State.STOPPED, f"Stopped by {by.name} after {operation.looked_at:,} jobs.")
        operation.save()
        before, after = {"state": "running"}, {"state": "stopped", "looked_at": operation.looked_at}
        audit.record(
            by, "operation.stop", f"operation:{operation.pk}", reason=reason, before=before, after=after
        )
    return True


def advance() -> int:
    """Do a bite of each operation that runs and that nobody else has in hand; return how many jobs had their turn."""
    running = Operation.objects.filter(state=Operation.State.RUNNING).order_by("advanced_at")
    return sum(_advance(pk) for pk in list(running.values_list("pk", flat=True)))


@transaction.atomic
def _advance(operation_id: int) -> int:
    rows = Operation.objects.select_for_update(skip_locked=True)
    operation = rows.filter(pk=operation_id, state=Operation.State.RUNNING).first()
    if operation is None:
        return 0
    now = ledger.now()
    most = int(operation.per_second * min(now - operation.advanced_at, _MAKES_UP_FOR).total_seconds())
    if most < 1:
        return 0
    selection = Selection.from_json(operation.selection)
    bite = list(_next(operation, selection)[: min(most, FASTEST)])
    operation.advanced_at = now
    operation.looked_at += len(bite)
    if bite:
        last = bite[-1]
        operation.cursor_at, operation.cursor_id = last.created_at, last.pk
        by = Actor(operation.actor, operation.actor_id, f"operation {operation.pk}")
        counts, doomed = act(_order(operation, selection), [job.pk for job in bite], by=by)
        operation.counts = dict(Counter(operation.counts) + Counter(counts))
        if doomed:
            transaction.on_commit(partial(_terminate, doomed))
    if _too_many_are_dead(operation, selection):
        _end(
            operation,
            Operation.State.STOPPED,
            f"Stopped by itself: {operation.most_dead:,} of its jobs were dead again.",
        )
    elif len(bite) < min(most, FASTEST):
        _end(operation, Operation.State.DONE, f"Done: {operation.looked_at:,} jobs had their turn.")
    operation.save()
    return len(bite)


def _next(operation: Operation, selection: Selection) -> QuerySet[Job]:
    """Return the jobs that are to have their turn, oldest first."""
    jobs = selection.jobs().filter(among(operation.verb, selection), created_at__lte=operation.created_at)
    if operation.cursor_at is not None:
        beyond = Q(created_at__gt=operation.cursor_at) | Q(pk__gt=operation.cursor_id)
        jobs = jobs.filter(beyond, created_at__gte=operation.cursor_at)
    return jobs.order_by("created_at", "pk").only("pk", "created_at")


def act(order: Order, ids: Sequence[str], *, by: Actor) -> tuple[Mapping[str, int], list[str]]:
    """Do it to some jobs, in one transaction; return what became of how many, and those whose processes are to be killed."""
    if order.verb == "retry":
        return {"retried": operations.retry(ids, by=by, reason=order.reason)}, []
    if order.verb == "bury":
        return {"buried": operations.bury(ids, order.reason, by=by)}, []
    answers = operations.cancel(ids, by=by, reason=order.reason)
    running = [job_id for job_id, answer in answers.items() if answer == Cancelled.STOPPING]
    return Counter(answer.value for answer in answers.values()), running if order.terminate else []


def _order(operation: Operation, selection: Selection) -> Order:
    return Order(
        verb=operation.verb,
        selection=selection,
        reason=operation.reason,
        per_second=operation.per_second,
        terminate=bool(operation.options.get("terminate")),
    )


def _terminate(ids: list[str]) -> None:
    try:
        operations.terminate(ids)
    except OperationalError as error:
        logger.warning("the broker is away: %d jobs stop at their next checkpoint: %s", len(ids), error)


def _too_many_are_dead(operation: Operation, selection: Selection) -> bool:
    """Whether as many as may have died again since: of those that had their turn, which ran after this was begun."""
    if not operation.most_dead or operation.cursor_at is None:
        return False
    again = selection.whatever_became_of_them().filter(
        state=State.DEAD, created_at__lte=operation.cursor_at, claimed_at__gte=operation.created_at
    )
    return again.order_by("-created_at").values("pk")[: operation.most_dead].count() >= operation.most_dead


def _end(operation: Operation, state: Operation.State, outcome: str) -> None:
    operation.state, operation.outcome, operation.ended_at = state, outcome, ledger.now()
