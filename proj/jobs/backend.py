"""LedgerBackend: results of tasks, of those that have ended and of those that are owed."""

from typing import Any

from celery import states
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone
from kombu.utils.json import dumps, loads

from proj.jobs import ledger
from proj.jobs.chords import Chords
from proj.jobs.endings import Endings
from proj.jobs.ledger.statements import legible, run
from proj.jobs.message import HEADER
from proj.jobs.models import Job, State
from proj.jobs.results import STORE, Outcome

QUEUED, SCHEDULED = "QUEUED", "SCHEDULED"


class LedgerBackend(Chords, Endings):
    """django-celery-results, with the ledger's promises.

    For a job of the ledger, storing the outcome, counting it for its chord, recording its next steps and deleting its
    row are one transaction, fenced by the attempt. What is not finished has no result row: its state is read from
    the ledger. The first SUCCESS of an id is never overwritten. Tasks that are not in the ledger are stored as ever.
    """

    subpolling_interval = 0.1  # seconds between two looks of somebody who waits for a result

    def _store_result(  # noqa: PLR0913, PLR0917  Celery's signature
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
        if claim is not None and claim.id == task_id and status not in states.READY_STATES:
            ledger.note(claim, status, result)
        else:
            run(STORE, self.outcome(task_id, result, status, traceback, request).values())
        return result

    def outcome(
        self, task_id: str, result: Any, status: str, traceback: str | None = None, request: Any = None
    ) -> Outcome:
        """Return the row that tells how a task ended.

        Raises:
            kombu.exceptions.EncodeError: the result is nothing that JSON can hold.

        """
        content_type, content_encoding, encoded = self.encode_content(result)
        claim = getattr(request, "claim", None)
        noted: dict[str, Any] = {}
        if claim:
            noted = {"queue": claim.queue, "attempt": claim.attempt, "subject": claim.subject}
            noted |= {"attempts": claim.before} if claim.before else {}
        _, _, meta = self.encode_content(
            {
                **self._get_meta_from_request(request),
                **noted,
                "children": self.current_task_children(request),
            }
        )
        extended = self._get_extended_properties(request, traceback)
        extended["traceback"] = legible(traceback) if traceback else None
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

    def wait_for(self, task_id: str, *args: Any, on_interval: Any = None, **options: Any) -> Any:
        """Wait for a task's outcome; whoever waits for a chord is told the error of its header, if that is why it failed.

        Both errors are stored at once. A backend that stores one after the other shows the header's first, and that is
        what callers know: ``on_interval`` is where Celery looks at the tasks before this one.
        """
        meta = super().wait_for(task_id, *args, on_interval=on_interval, **options)
        if on_interval and meta["status"] in states.PROPAGATE_STATES:
            on_interval()
        return meta

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
        status, result = noted["state"], loads(dumps(noted["meta"]))  # as a stored result is decoded
    elif job.error:
        status, result = (
            states.RETRY,
            {"exc_type": "Exception", "exc_message": [job.error], "exc_module": "builtins"},
        )
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
