"""Pausing a queue: nothing of it begins until it is resumed. What runs already runs to its end, and nothing is lost.

The pause is a row of ``jobs_pausedqueue``, written with its entry in the audit log. It is asked for wherever a job passes,
by the statement that moves the job, so nobody has to be told for it to hold:

    record, retry   of a paused queue is written as not rung: no message is sent
    due             passes its jobs over (and their index does not make the others wait behind them)
    lost            is not looked for: what its messages do is nobody's business meanwhile
    claim           refuses: the row is marked as not rung, the message is dropped
    workers         stop taking its messages, within two seconds, and do not begin to when they start: see
                    :mod:`proj.jobs.attendance`

The last is for peace, not for safety: a worker that has not heard yet takes messages, and each is refused at its claim.
Retries, the next steps of chains and the bodies of chords are rows like any other: they are recorded, and wait. So are the
runs of schedules; how many of them pile up is for the overlap policy of each.

Resuming deletes the row. What was held is due from that moment and is rung for by the next tick, oldest first; messages that
were in Redis all the while are taken from there.

What may happen in between:

    =============================================  =========================================================================
    a job is claimed while the pause commits       it runs: it came first, by some milliseconds
    a message is sent while the pause commits      it lies in Redis; nobody takes it, or its claim is refused
    a worker has a message in hand                 its claim is refused: dropped, and rung for when the queue is resumed
    the worker dies between refusing and marking   the row says that it was rung, and there is no message: *lost*, found
                                                   within seconds of the resumption
    the queue is resumed between the two           the same
    a worker cannot ask the database               it goes on with what it knew; it cannot claim anything either
    Redis is wiped                                 what was in it is *lost*, found within seconds of the resumption
    two people pause, or resume, at once           one does, and the other is told that it is done: the key is the queue
    the queue is not in the settings any more      it can still be resumed
    =============================================  =========================================================================
"""

from collections.abc import Mapping

from django.db import transaction

from proj.jobs import audit
from proj.jobs.audit import Actor
from proj.jobs.ledger.statements import run
from proj.jobs.models import Job, PausedQueue, State


def pause(queue: str, *, by: Actor, reason: str) -> bool:
    """Let nothing of a queue begin; return False when somebody has paused it already (theirs is the reason that stays)."""
    with transaction.atomic():
        rows = run(
            "INSERT INTO jobs_pausedqueue (queue, by, reason) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING 1",
            [queue, by.name, reason],
        )
        if rows:
            was, now = {"paused": False}, {"paused": True}
            audit.record(by, "queue.pause", f"queue:{queue}", reason=reason, before=was, after=now)
    return bool(rows)


def resume(queue: str, *, by: Actor, reason: str = "") -> bool:
    """Let the jobs of a queue begin again; return False when it was not paused."""
    with transaction.atomic():
        rows = run("DELETE FROM jobs_pausedqueue WHERE queue = %s RETURNING by, at, reason", [queue])
        if rows:
            [(paused_by, since, why)] = rows
            was = {"paused": True, "by": paused_by, "since": since, "reason": why}
            audit.record(
                by, "queue.resume", f"queue:{queue}", reason=reason, before=was, after={"paused": False}
            )
    return bool(rows)


def paused() -> Mapping[str, PausedQueue]:
    """Return the queues that are paused, by name."""
    return PausedQueue.objects.in_bulk()


def holds(subject: str) -> bool:
    """Tell whether a job about something, such as "order:42", waits in a queue that is paused. One query, by an index."""
    waiting = Job.objects.filter(subject=subject, state=State.QUEUED)
    return waiting.filter(queue__in=PausedQueue.objects.values("queue")).exists()
