# ruff: noqa: FBT001, FBT002, PLR0913, PLR0917  the signatures are Celery's
"""How a job ends: its outcome, and everything that follows from it, in one transaction."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from celery import states
from celery.exceptions import NotRegistered, WorkerLostError
from django.db import DatabaseError, connection, transaction
from django_celery_results.backends import DatabaseBackend

from proj.jobs import bell, ledger
from proj.jobs.errors import Postponed
from proj.jobs.failpoints import failpoint
from proj.jobs.message import HEADER, Message
from proj.jobs.models import Job
from proj.jobs.patience import AWAY, insist

logger = logging.getLogger(__name__)


class Endings(DatabaseBackend):  # type: ignore[misc]  # django-celery-results is untyped
    """The part of the result backend that ends jobs. What has no claim is stored as ever."""

    def mark_as_done(
        self,
        task_id: str,
        result: Any,
        request: Any = None,
        store_result: bool = True,
        state: str = states.SUCCESS,
    ) -> None:
        claim = request.get("claim") if request else None
        if claim is None:
            super().mark_as_done(task_id, result, request, store_result, state)
            return
        encoded = self.encode_result(result, state) if store_result else None
        outcome = self.outcome(task_id, encoded, state, request=request) if store_result else None

        def write() -> None:
            failpoint("finish")
            if claim.successor is not None:
                # retry(throw=False): it has not ended, and nothing follows from it yet.
                self._retry(claim, "")
                return
            self._record_held(claim)
            failpoint("next")
            if request.chord:
                self.on_chord_part_return(request, state, result)
            failpoint("fan_in")
            ledger.finish(claim, outcome)
            failpoint("result")

        self._conclude(claim, write, in_one_statement=not (claim.held or request.chord or claim.successor))

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
            super(Endings, self).mark_as_failure(
                task_id, exc, traceback, request, store_result, call_errbacks, state
            )

        def tell() -> None:
            if store_result:
                self.store_result(task_id, exc, state, traceback=traceback, request=request)

        claim = getattr(request, "claim", None)
        error = _in_words(exc)
        if claim is not None:
            self._fail(claim, error, fail, tell)
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
            was_owed = ledger.revoke(task_id, running=reason == "terminated")
            if was_owed or not getattr(request, HEADER, None):
                super().mark_as_revoked(task_id, reason, request, store_result, state)

    def mark_as_retry(
        self, task_id: str, exc: Exception, traceback: Any = None, request: Any = None, **kw: Any
    ) -> Any:
        if getattr(request, "claim", None) is None:
            return super().mark_as_retry(task_id, exc, traceback, request, **kw)
        return None  # the row in the ledger says so already

    def conclude_retry(self, claim: ledger.Claim, reason: Any) -> None:
        """Put a job that asked for another try back in the queue."""
        self._conclude(claim, lambda: self._retry(claim, _in_words(reason.exc)))

    def conclude_rejected(self, claim: ledger.Claim) -> None:
        """Give back a job whose message goes back to its queue."""
        self._conclude(claim, lambda: ledger.release(claim))

    def conclude_postponed(self, claim: ledger.Claim, reason: Postponed) -> None:
        """Give back a job for which it is not the time."""
        self._conclude(claim, lambda: ledger.postpone(claim, reason.seconds, reason=str(reason)))

    def conclude_ignored(self, claim: ledger.Claim, request: Any) -> None:
        """End a job that told Celery to store nothing: it was replaced, or has given itself its last state."""
        outcome = None
        if claim.noted is not None and not (claim.held or claim.successor):
            status, meta = claim.noted
            outcome = self.outcome(claim.id, meta, status, request=request)

        def write() -> None:
            if claim.successor is not None:
                self._retry(claim, "")
            else:
                ledger.finish(claim, outcome)
            self._record_held(claim)

        self._conclude(claim, write)

    def conclude_stopped(self, claim: ledger.Claim, request: Any, reason: Exception) -> None:
        """End a job that stopped at a checkpoint, because somebody asked it to."""
        encoded = self.encode_result(reason, states.REVOKED)
        outcome = self.outcome(claim.id, encoded, states.REVOKED, request=request)

        def write() -> None:
            if request.chord:
                self.on_chord_part_return(request, states.REVOKED, reason)
            ledger.finish(claim, outcome)

        self._conclude(claim, write)

    def _fail(
        self, claim: ledger.Claim, error: str, follow: Callable[[], None], tell: Callable[[], None]
    ) -> None:
        def write(follow: Callable[[], None]) -> None:
            if claim.successor is not None:
                # retry(throw=False), and then it failed: the next try was promised.
                self._retry(claim, error)
                return
            ledger.bury(claim, error=error)
            follow()

        try:
            self._conclude(claim, partial(write, follow))
        except Exception:
            # What follows from a failure (an errback, the body of a chord) must not keep it from being told.
            logger.exception("%s failed, and so did what follows from that", claim.id)
            self._conclude(claim, partial(write, tell))

    def _call_task_errbacks(self, request: Any, exc: Exception, traceback: Any) -> None:
        """Call the errbacks in a savepoint: one that breaks the transaction breaks only what errbacks have written."""
        try:
            with transaction.atomic():
                super()._call_task_errbacks(request, exc, traceback)
        except AWAY:
            raise
        except DatabaseError:
            logger.exception("the errbacks of %s failed", request.id)

    def _retry(self, claim: ledger.Claim, error: str) -> None:
        message = cast("Message", claim.successor)
        if ledger.retry(claim, message, error=error, ring=message.is_due and not bell.is_silent()):
            bell.ring_on_commit([message])

    def _record_held(self, claim: ledger.Claim) -> None:
        for write in claim.held:
            write()

    def _conclude(
        self, claim: ledger.Claim, write: Callable[[], None], *, in_one_statement: bool = False
    ) -> None:
        """Write how a job ended, once, whatever the database does.

        A database that is away is tried again on a fresh connection, and is never a reason to call the job failed. A
        job that belongs to somebody else meanwhile is theirs to end: nothing of ours is written.
        """
        if claim.over:
            return
        claim.holding = False  # what is sent from here on belongs to this transaction
        if not (connection.in_atomic_block or connection.autocommit):
            connection.close()  # the task has left a transaction open, which nobody would commit
        try:
            insist(write if in_one_statement else transaction.atomic(write), what=claim.id)
        except ledger.Fenced:
            logger.warning("%s belongs to another attempt than %d: dropped", claim.id, claim.attempt)
        except AWAY:
            # Without its connection the claimant looks gone, and the dispatcher sets the job free.
            logger.critical("the outcome of %s could not be stored: it will run again", claim.id)
        claim.over = True
        failpoint("finished")


def _in_words(error: BaseException | None) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  an exception whose own words fail is told all the same
        text = "it cannot be printed"
    return f"{type(error).__name__}: {text}"
