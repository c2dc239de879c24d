"""Celery's remote control, with a ``revoke`` that workers cannot forget."""

from collections.abc import Sequence
from typing import Any

from celery.app.control import Control

from proj.jobs import operations
from proj.jobs.ledger import Cancelled

TERM = "SIGTERM"


class LedgerControl(Control):
    """Cancels in the ledger first, and tells the workers only what they alone can do.

    Celery keeps what is revoked in the memory of the workers that were there to hear it. Here it is a row: a job that waits
    is cancelled with every worker away, and stays so; one that runs stops at its next checkpoint, or is killed with
    ``terminate=True``. ``AsyncResult.revoke()`` and ``GroupResult.revoke()`` end here too.
    """

    def revoke(
        self,
        task_id: str | Sequence[str],
        destination: Any = None,
        terminate: bool = False,  # noqa: FBT001, FBT002  Celery's signature
        signal: str = TERM,
        **options: Any,
    ) -> Any:
        """Cancel jobs, and broadcast to the workers the ids that the ledger does not know or has to have killed."""
        ids = [task_id] if isinstance(task_id, str) else list(task_id)
        answers = operations.cancel(ids)
        left = {Cancelled.TOO_LATE, Cancelled.STOPPING} if terminate else {Cancelled.TOO_LATE}
        told = [each for each in ids if answers[each] in left]
        if not told:
            return [] if options.get("reply") else None
        return super().revoke(told, destination=destination, terminate=terminate, signal=signal, **options)
