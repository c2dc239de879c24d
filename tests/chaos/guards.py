"""The guards of the ledger, and how each is switched off in a process: for the negative controls of the scenarios.

A scenario that still passes with its guard off would prove nothing.
"""

import time
import uuid
from collections.abc import Callable
from typing import Any, Final

from celery import states
from celery.exceptions import NotRegistered
from django_celery_beat.models import PeriodicTask
from django_celery_results.backends import DatabaseBackend

from proj.jobs import backend, bell, endings, firing, ledger, task
from proj.jobs.backend import LedgerBackend
from proj.jobs.dispatcher import Dispatcher
from proj.jobs.ledger.statements import run


def switch_off(guard: str) -> None:
    """Take one guard out of this process, before it works."""
    GUARDS[guard]()


def _claim() -> None:
    """Whoever has a message runs it, as plain Celery does."""

    def claim(message_id: str, **_: Any) -> ledger.Claim:
        rows = run(
            "UPDATE jobs_job SET state = 'running', attempt = attempt + 1, claimed_by = pg_backend_pid(),"
            " claimed_at = clock_timestamp(), deadline = clock_timestamp() + interval '1 minute'"
            " WHERE id = %s RETURNING attempt",
            [message_id],
        )
        return ledger.Claim(message_id, rows[0][0] if rows else 0)

    task.ledger.claim = claim  # type: ignore[assignment]


def _fence() -> None:
    """Whoever ends a job ends it, whoever owns it."""

    def finish(claim: ledger.Claim, outcome: Any) -> None:
        run("DELETE FROM jobs_job WHERE id = %s", [claim.id])
        if outcome is not None:
            run("DELETE FROM django_celery_results_taskresult WHERE task_id = %s", [claim.id])
            run(backend.STORE, outcome.values())

    ledger.finish = finish  # type: ignore[assignment]


def _rescue() -> None:
    """Nobody looks for jobs whose worker is gone."""
    Dispatcher.rescue_orphans = lambda _: 0  # type: ignore[method-assign]


def _lost() -> None:
    """Nobody compares the broker with the ledger."""
    Dispatcher.ring_lost = lambda _: 0  # type: ignore[method-assign]


def _due() -> None:
    """Nobody rings for what was not rung."""
    Dispatcher.ring_due = lambda _: 0  # type: ignore[method-assign]


def _one_transaction() -> None:
    """A job ends first, and what follows from it is written after that: as result backends do."""
    count, record, conclude = (
        LedgerBackend.on_chord_part_return,
        LedgerBackend._record_held,
        LedgerBackend._conclude,
    )
    later: list[Callable[[], Any]] = []

    def end(self: Any, *args: Any, **options: Any) -> None:
        later.clear()
        conclude(self, *args, **options)
        for follow in later:
            follow()

    LedgerBackend.on_chord_part_return = (  # type: ignore[method-assign]
        lambda *args, **options: later.append(lambda: count(*args, **options))
    )
    LedgerBackend._record_held = lambda *args: later.append(lambda: record(*args))  # type: ignore[method-assign]
    LedgerBackend._conclude = end  # type: ignore[method-assign]


def _reassert() -> None:
    """A worker whose database connection was replaced says nothing."""
    ledger.reassert = lambda _: None  # type: ignore[assignment]


def _losses() -> None:
    """A job may take any number of workers with it."""
    task.JobTask.max_losses = 10**6


def _outcome() -> None:
    """A database that is away when an outcome is to be stored is an error like any other."""

    endings.insist = lambda write, **_: write()


def _quiet() -> None:
    """Every request finds out by itself that the broker is away."""
    bell.is_silent = lambda: False


def _unknown() -> None:
    """A task that this worker does not know has failed."""
    mark = LedgerBackend.mark_as_failure

    def mark_as_failure(self: Any, task_id: str, exc: Exception, *args: Any, **options: Any) -> None:
        if isinstance(exc, NotRegistered):
            ledger.bury_unclaimed(task_id, error=str(exc))
            DatabaseBackend.store_result(self, task_id, exc, states.FAILURE)
        else:
            mark(self, task_id, exc, *args, **options)

    LedgerBackend.mark_as_failure = mark_as_failure  # type: ignore[method-assign]


def _slot() -> None:
    """A beat fires what it believes to be due, under an id of its own making."""

    def fire(app: Any, schedule_id: int, now: Any) -> PeriodicTask | None:
        schedule = (
            PeriodicTask.objects.select_related(*firing.TIMINGS, "policy").filter(pk=schedule_id).first()
        )
        time.sleep(0.2)  # the moment between looking and writing
        if schedule is not None:
            firing.Firing(app, schedule, now).decide()
        return schedule

    from proj.jobs import scheduler  # noqa: PLC0415

    scheduler.fire = fire
    firing.job_id = lambda *_: str(uuid.uuid4())  # type: ignore[assignment]


GUARDS: Final[dict[str, Callable[[], None]]] = {
    "claim": _claim,
    "fence": _fence,
    "rescue": _rescue,
    "lost": _lost,
    "due": _due,
    "one transaction": _one_transaction,
    "reassert": _reassert,
    "losses": _losses,
    "outcome": _outcome,
    "quiet": _quiet,
    "unknown": _unknown,
    "slot": _slot,
}
