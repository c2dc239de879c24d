"""LedgerBackend: a task's outcome and everything that follows from it, in one transaction."""

import logging
import time
from collections.abc import Callable
from typing import Any

from celery import states
from celery.exceptions import NotRegistered, WorkerLostError
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone
from django_celery_results.backends import DatabaseBackend

from proj.jobs import amqp, bell, ledger
from proj.jobs.chords import Chords
from proj.jobs.failpoints import failpoint
from proj.jobs.ledger.statements import run
from proj.jobs.message import HEADER
from proj.jobs.models import Job, State
from proj.jobs.results import STORE, Outcome

logger = logging.getLogger(__name__)

#: Seconds between the tries to store an outcome while the database is away: about a minute in all. After that the job is
#: left as it is: its claimant looks gone, and it runs again.
WAITS = (0.05, 0.2, 0.5, 1, 2, 5, 10, 20, 20)

QUEUED, SCHEDULED = "QUEUED", "SCHEDULED"


class LedgerBackend(Chords, DatabaseBackend):  # type: ignore[misc]  # django-celery-results is untyped
    """django-celery-results, with the ledger's promises.

    For a job of the ledger, storing the outcome, counting it for its chord, recording its next steps and deleting its
    row are one transaction, fenced by the attempt. What is not finished has no result row: its state is read from
    the ledger. The first SUCCESS of an id is never overwritten. Tasks that are not in the ledger are stored as ever.
    """

    subpolling_interval = 0.1  # seconds between two looks of somebody who waits for a result

    # --- outcomes of a claimed job -----------------------------------------------------------------------------------

    def mark_as_done(
        self, task_id: str, result: Any, request: Any = None, store_result: bool = True, state: str = states.SUCCESS
    ) -> None:
        claim = request.get("claim") if request else None
        if claim is None:
            super().mark_as_done(task_id, result, request, store_result, state)
            return
        outcome = self._outcome(task_id, self.encode_result(result, state), state, request=request)

        def write() -> None:
            failpoint("finish")
            self._record_held(claim)
            failpoint("next")
            if request.chord:
                self.on_chord_part_return(request, state, result)
            failpoint("fan_in")
            if claim.successor is not None:  # retry(throw=False): it goes on, and runs again
                self._retry(claim, "")
            else:
                ledger.finish(claim, outcome if store_result else None)
            failpoint("result")

        alone = not (claim.held or request.chord or claim.successor)
        self._conclude(claim, write, in_one_statement=alone)

    def mark_as_failure(
        self,
        task_id: str,
        exc: Exception,
        traceback: str | None = None,
        request: Any = None,
        store_result: bool = True,
        call_errbacks: bool = True,
        state: str = states.FAILURE,
    ) -> None:
        def fail() -> None:
            DatabaseBackend.mark_as_failure(
                self, task_id, exc, traceback, request, store_result, call_errbacks, state
            )

        claim = getattr(request, "claim", None)
        error = f"{type(exc).__name__}: {exc}"
        if claim is not None:

            def write() -> None:
                ledger.bury(claim, error=error)
                fail()

            self._conclude(claim, write)
        elif isinstance(exc, WorkerLostError | NotRegistered) and Job.objects.filter(pk=task_id).exists():
            # Not the job's own doing. Its claimant is gone or never was: the dispatcher sets it free.
            logger.warning("%s is still owed: %s", task_id, error)
        elif getattr(request, HEADER, None):  # not from the claimant: a hard time limit, a poison pill
            with transaction.atomic():
                if ledger.bury_unclaimed(task_id, error=error):
                    fail()
        else:
            fail()

    def mark_as_revoked(
        self,
        task_id: str,
        reason: str = "",
        request: Any = None,
        store_result: bool = True,
        state: str = states.REVOKED,
    ) -> None:
        with transaction.atomic():
            ledger.revoke(task_id)
            super().mark_as_revoked(task_id, reason, request, store_result, state)

    def mark_as_retry(self, task_id: str, exc: Exception, traceback: Any = None, request: Any = None, **kw: Any) -> Any:
        if getattr(request, "claim", None) is None:
            return super().mark_as_retry(task_id, exc, traceback, request, **kw)
        return None  # the row in the ledger says so already

    def conclude_retry(self, claim: ledger.Claim, reason: Any) -> None:
        """Put a job that asked for another try back in the queue."""
        self._conclude(claim, lambda: self._retry(claim, f"{type(reason.exc).__name__}: {reason.exc}"))

    def conclude_ignored(self, claim: ledger.Claim) -> None:
        """End a job that told Celery to store nothing: it was replaced, or keeps its own state."""

        def write() -> None:
            if claim.successor is not None:
                self._retry(claim, "")
            else:
                ledger.finish(claim, None)
            self._record_held(claim)

        self._conclude(claim, write)

    def conclude_stopped(self, claim: ledger.Claim, request: Any, reason: Exception) -> None:
        """End a job that stopped at a checkpoint, because somebody asked it to."""
        outcome = self._outcome(
            claim.id, self.encode_result(reason, states.REVOKED), states.REVOKED, request=request
        )

        def write() -> None:
            if request.chord:
                self.on_chord_part_return(request, states.REVOKED, reason)
            ledger.finish(claim, outcome)

        self._conclude(claim, write)

    def _retry(self, claim: ledger.Claim, error: str) -> None:
        message = claim.successor
        if message is None:
            return
        ring = message.is_due and not bell.is_silent()
        ledger.retry(claim, message, error=error, ring=ring)
        if ring:
            bell.ring_on_commit(message)

    def _record_held(self, claim: ledger.Claim) -> None:
        for message in claim.held:
            amqp.enqueue(message, self.app.tasks.get(message.task))

    def _conclude(self, claim: ledger.Claim, write: Callable[[], None], *, in_one_statement: bool = False) -> None:
        """Write how a job ended, once, whatever the database does.

        A database that is away is tried again on a fresh connection, and is never a reason to call the job failed. A
        job that belongs to somebody else meanwhile is theirs to end: nothing of ours is written.
        """
        if claim.over:
            return
        claim.holding = False  # what is sent from here on belongs to this transaction
        for wait in (*WAITS, None):
            try:
                if in_one_statement:
                    write()
                else:
                    with transaction.atomic():
                        write()
            except ledger.Fenced:
                logger.warning("%s belongs to another attempt than %d: dropped", claim.id, claim.attempt)
            except (OperationalError, InterfaceError) as error:
                if wait is not None and not connection.in_atomic_block:
                    logger.warning("the database is away, %s is stored later: %s", claim.id, error)
                    connection.close()
                    time.sleep(wait)
                    continue
                logger.critical("the outcome of %s could not be stored: it will run again", claim.id)
            break
        claim.over = True
        failpoint("finished")

    # --- rows --------------------------------------------------------------------------------------------------------

    def _store_result(
        self,
        task_id: str,
        result: Any,
        status: str,
        traceback: str | None = None,
        request: Any = None,
        using: str | None = None,  # noqa: ARG002  the parent's signature
    ) -> Any:
        if getattr(request, HEADER, None) and status in states.UNREADY_STATES:
            return result  # the ledger knows
        claim = getattr(request, "claim", None)
        if claim is not None and status not in states.READY_STATES:
            ledger.note(claim, status, result)
        else:
            run(STORE, self._outcome(task_id, result, status, traceback, request).values())
        return result

    def _outcome(
        self, task_id: str, result: Any, status: str, traceback: str | None = None, request: Any = None
    ) -> Outcome:
        content_type, content_encoding, encoded = self.encode_content(result)
        _, _, meta = self.encode_content(
            {**self._get_meta_from_request(request), "children": self.current_task_children(request)}
        )
        extended = self._get_extended_properties(request, traceback)
        extended["traceback"] = traceback
        return Outcome(
            task_id=task_id,
            status=status,
            result=encoded,
            meta=meta,
            content_type=content_type,
            content_encoding=content_encoding,
            date_done=timezone.now(),
            **extended,
        )

    def _get_task_meta_for(self, task_id: str) -> dict[str, Any]:
        """Return the state of a task: from the ledger while it is owed, from its result after that."""
        job = Job.objects.filter(pk=task_id).exclude(state=State.DEAD).first()
        return _unfinished(job) if job else super()._get_task_meta_for(task_id)

    def exception_safe_to_retry(self, exc: Exception) -> bool:
        """Whether a fresh connection may help; psycopg reports a lost one as an OperationalError too."""
        if isinstance(exc, InterfaceError | OperationalError) and not connection.in_atomic_block:
            connection.close()
            return True
        return False


def _unfinished(job: Job) -> dict[str, Any]:
    status, result = QUEUED, None
    if job.state == State.RUNNING:
        noted = job.progress or {"state": states.STARTED, "meta": {"hostname": job.worker}}
        status, result = noted["state"], noted["meta"]
    elif job.error:
        status, result = states.RETRY, {"exc_type": "Exception", "exc_message": [job.error], "exc_module": "builtins"}
    elif job.available_at > timezone.now():
        status = SCHEDULED
    return {
        "task_id": job.pk,
        "status": status,
        "result": result,
        "traceback": None,
        "children": [],
        "date_done": None,
        "name": job.task,
        "worker": job.worker,
    }
