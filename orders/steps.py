# ruff: noqa: ARG002  the signatures are Celery's
"""OrderTask, the base of the tasks that are a step of an order: keeps the order's timeline as the task runs."""

import logging
from functools import partial
from typing import Any, ClassVar

from django.db import Error
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from orders.models import OrderStep
from orders.models.journal import OrderStepQuerySet
from orders.states import LIVE, Step, StepState
from proj.jobs import ledger
from proj.jobs.errors import Permanent, Postponed, Transient
from proj.jobs.task import JobTask

logger = logging.getLogger(__name__)


class OrderTask(JobTask):
    """A task whose first argument is an order's id and which is that order's step `step`.

    The timeline is for people. When it cannot be written the step goes on: a timeline that is late is better
    than an order that is.
    """

    step: ClassVar[Step | None] = None
    subject = "order"

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        super().before_start(task_id, args, kwargs)  # a message that is not owed leaves the step as it is
        now = timezone.now()
        self._write(
            # A message that comes late finds its step done, or its order ended, and leaves both as they are.
            self._steps(args).unsettled().filter(order__status__in=LIVE),
            state=StepState.RUNNING,
            attempt=F("attempt") + 1,
            task_id=task_id,
            started_at=Coalesce(F("started_at"), now),
            finished_at=None,
            error="",
        )

    def on_retry(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        self._write(self._steps(args).running(), state=StepState.RETRYING, error=explain(exc))

    def on_failure(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        failed = self._steps(args).unsettled().filter(order__status__in=LIVE)
        self._write(failed, state=StepState.FAILED, error=explain(exc), finished_at=timezone.now())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the step; that it succeeded is written in the transaction that ends its job, or a crash would leave it running."""
        try:
            outcome = super().__call__(*args, **kwargs)
        except Postponed as reason:
            self._write(self._steps(args).running(), state=StepState.RETRYING, error=str(reason))
            raise
        claim = ledger.current_claim()
        if claim is not None and claim.id == self.request.id:
            claim.held.append(partial(self._succeed, args))
        return outcome

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        if self.request.get("claim") is None:
            self._succeed(args)

    def _succeed(self, args: Any) -> None:
        self._steps(args).running().update(state=StepState.SUCCEEDED, finished_at=timezone.now())

    def _steps(self, args: Any) -> OrderStepQuerySet:
        return OrderStep.objects.filter(order_id=args[0], name=self.step)

    def _write(self, steps: OrderStepQuerySet, **values: Any) -> None:
        try:
            steps.update(**values)
        except Error:
            logger.warning("step %s: its timeline could not be written", self.step, exc_info=True)


def explain(error: Exception) -> str:
    """What went wrong, as the customer may read it: our own errors are written for people, of any other the text
    may hold anything (a query, a host), so only its kind is shown. The whole of it is in the task's result.
    """
    return str(error) if isinstance(error, (Transient, Permanent)) else type(error).__name__
