"""Celery's remote control, with a ``revoke`` that workers cannot forget."""

from typing import Any

from celery.app.control import Control
from kombu.utils.functional import maybe_list

from proj.jobs import operations
from proj.jobs.ledger import Cancelled

_REVOKING = {"revoke", "terminate"}


class LedgerControl(Control):
    """Cancels in the ledger first, and tells the workers only what they alone can do.

    Celery keeps what is revoked in the memory of the workers that were there to hear it. Here it is a row: a job that waits
    is cancelled with every worker away, and stays so; one that runs stops at its next checkpoint, or is killed with
    ``terminate=True``. ``revoke()`` of results and of groups, ``celery control revoke`` and Flower all end here.
    """

    def broadcast(  # type: ignore[override]  # the rest of the arguments are passed on as they are
        self, command: str, arguments: dict[str, Any] | None = None, *args: Any, **options: Any
    ) -> Any:
        """Tell workers to do something; of revoked jobs, only those that the ledger does not know or has to have killed."""
        if command in _REVOKING and arguments:
            ids = maybe_list(arguments.get("task_id")) or []
            answers = operations.cancel(ids)
            left = {Cancelled.TOO_LATE}
            if command == "terminate" or arguments.get("terminate"):
                left.add(Cancelled.STOPPING)
            told = [job_id for job_id in ids if answers[job_id] in left]
            if not told:
                return [] if options.get("reply") else None
            arguments = {**arguments, "task_id": told}
        return super().broadcast(command, arguments, *args, **options)
