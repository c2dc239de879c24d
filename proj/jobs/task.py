"""JobTask, the base of every task: its claim, limits, retry policy and progress; mistakes are refused early."""

import difflib
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from celery import Task
from celery.exceptions import Ignore, Reject, Retry, TaskRevokedError
from django.db import Error
from kombu.utils.json import loads

from proj.jobs import ledger
from proj.jobs.errors import RETRIED, Permanent, Postponed, Stopped
from proj.jobs.failpoints import failpoint
from proj.jobs.ledger import Claim
from proj.jobs.message import HEADER
from proj.jobs.patience import AWAY, insist

PROGRESS = "PROGRESS"

# Options that a definition may give beyond the attributes of Celery's own Task.
_AUTORETRY_OPTIONS = {
    "autoretry_for",
    "dont_autoretry_for",
    "retry_backoff",
    "retry_backoff_max",
    "retry_jitter",
    "retry_kwargs",
}
_REQUIRED = ("queue", "soft_time_limit", "time_limit")


class Duplicate(Ignore):
    """The message is not owed: the job is finished, cancelled or somebody else's. Nothing is run."""


class JobTask(Task[Any, Any]):
    """The base class of every task of this project; ``shared_task`` uses it by itself.

    A definition must give ``name``, ``queue``, ``soft_time_limit`` and ``time_limit`` (seconds). The soft limit
    raises ``SoftTimeLimitExceeded`` inside the task, the hard one kills its process.

    Retries: only the errors in :data:`proj.jobs.errors.RETRIED`. The n-th wait is drawn between 0 and
    ``min(retry_backoff * 2**n, retry_backoff_max)`` seconds (full jitter, so that many tasks which failed together
    do not come back together), at most ``max_retries`` times: about 20 minutes in all.

    Raises:
        TypeError: when a task is defined with an unknown option (Celery would ignore a misspelt one in silence)
            or without a required one.

    """

    autoretry_for: ClassVar[tuple[type[Exception], ...]] = RETRIED
    retry_backoff = 1
    retry_backoff_max = 300
    retry_jitter = True
    max_retries = 10

    #: False for work that may be lost: it is published and not recorded.
    ledger: ClassVar[bool] = True
    #: What the first argument identifies, such as ``"order"``: the job is then found as ``order:42``.
    subject: ClassVar[str] = ""
    #: How often a job may take its worker with it before it is buried.
    max_losses: ClassVar[int] = 3
    #: Whether an admin may put the task on a schedule, with arguments of their choice.
    schedulable: ClassVar[bool] = False

    #: The queue that the definition names. Kept under a name of its own, because Celery lets a task's ``queue``
    #: attribute overrule every router (and deprecates it); :func:`proj.queues.route_by_task` reads this one.
    home_queue: ClassVar[str | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__dict__.get("_decorated") or cls.__module__.startswith("celery."):
            return  # a base class, or one of Celery's own tasks
        _refuse_unknown_options(cls)
        missing = [option for option in _REQUIRED if not cls.__dict__.get(option)]
        if missing:
            raise TypeError(f"task {cls.__dict__['name']!r} must say {', '.join(missing)}")
        cls.home_queue = cls.__dict__["queue"]
        delattr(cls, "queue")  # see home_queue

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:  # noqa: ARG002  Celery's signature
        """Claim the job before anything is run for it. A subclass that has more to do calls this first.

        Raises:
            Duplicate: the job is not to be had; Celery acknowledges the message and forgets it.
            Reject: the database is away; the message goes back to its queue.

        """
        request: Any = (
            self.request
        )  # the stubs are older than some of its attributes, and ours are not in them
        if not request.get(HEADER) or request.is_eager:
            return  # from outside, or called directly: plain Celery
        claim = partial(
            ledger.claim,
            task_id,
            task=self.name,
            retries=request.retries,
            worker=request.hostname or "",
            seconds=request.time_limit or self.time_limit or self.app.conf.task_time_limit,
        )
        try:
            request.claim = insist(claim, what=task_id)
        except ledger.NotOwed:
            raise Duplicate(f"{task_id} is not owed") from None
        except AWAY as error:
            raise Reject(error, requeue=True) from error

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the body; around it, decide what becomes of the messages that the task sends in its own place."""
        request: Any = self.request
        if request.called_directly or request.get("entered"):  # the task calls itself, as a function
            return super().__call__(*args, **kwargs)
        request.entered = True
        if request.get("claim") is None:
            JobTask.before_start(self, request.id, args, kwargs)  # for a subclass that forgot to
        claim = request.get("claim")
        try:
            return self.run(*args, **kwargs) if claim is None else self._run_claimed(claim, args, kwargs)
        except Postponed as reason:
            if claim is None:  # nobody keeps it for us
                raise self.retry(exc=reason, countdown=reason.seconds, max_retries=None) from reason
            raise
        except MemoryError as error:  # for which Celery ends the whole worker, with whatever else it runs
            raise Permanent("it ran out of memory") from error

    def _run_claimed(self, claim: Claim, args: Any, kwargs: Any) -> Any:
        backend: Any = self.backend  # our LedgerBackend
        try:
            if claim.unwanted:
                raise Stopped  # noqa: TRY301  ended as at a checkpoint
            outcome = self.run(*args, **kwargs)
        except Retry as reason:
            if claim.successor is None:
                raise TypeError(
                    "Retry was raised, but not by self.retry(): nothing would be tried again"
                ) from reason
            backend.conclude_retry(claim, reason)
            raise
        except Reject as reason:
            if reason.requeue:  # type: ignore[attr-defined]  # the stubs are older
                backend.conclude_rejected(claim)
            raise
        except Stopped as reason:
            backend.conclude_stopped(claim, self.request, TaskRevokedError(str(reason)))
            raise
        except Postponed as reason:
            backend.conclude_postponed(claim, reason)
            raise
        except Ignore:
            backend.conclude_ignored(claim, self.request)
            raise
        except (SystemExit, KeyboardInterrupt):  # ends a process; but a thread, or a solo worker, lives on
            claim.over = True
            with suppress(Error):
                ledger.disown(claim)
            raise
        failpoint("body")
        # What Celery sends from here on, until the outcome is stored, are the callbacks and the next step.
        claim.holding = True
        return outcome

    def on_replace(self, sig: Any) -> Any:
        """Keep the replacement's messages until this job ends, so that both happen or neither."""
        claim = self.request.get("claim")
        if claim is not None:
            claim.holding = True
        return super().on_replace(sig)

    @classmethod
    def subject_of(cls, body: str) -> str:
        """Return what a message of this task is about: its kind, and the first argument or the only named one."""
        args, kwargs, _embed = loads(body)
        identity = args[0] if args else next(iter(kwargs.values()), None)
        return f"{cls.subject}:{identity}" if isinstance(identity, int | str | UUID) else ""

    def progress(self, done: int, total: int, step: str = "") -> None:
        """Store the custom state PROGRESS with how far the work has come; a checkpoint.

        Args:
            done: units finished so far.
            total: units in all.
            step: what is being done now, in words for people.

        Raises:
            proj.jobs.errors.Stopped: somebody asked for the job to be cancelled.

        A task that was called directly, outside a worker, has no id and stores nothing.

        """
        if self.request.id is not None:
            self.update_state(state=PROGRESS, meta={"done": done, "total": total, "step": step})
            self.checkpoint()

    def checkpoint(self) -> None:
        """Stop here if somebody asked for the job to be cancelled. Call it where the work may be left.

        Raises:
            proj.jobs.errors.Stopped: ends the task as cancelled; let it pass.

        """
        claim = self.request.get("claim")
        if claim is not None and ledger.cancel_was_requested(claim):
            raise Stopped


def _refuse_unknown_options(cls: type[JobTask]) -> None:
    known = set(dir(cls.__mro__[1])) | _AUTORETRY_OPTIONS | {"queue"}
    # What Celery itself puts into the class it builds around the function.
    known |= {"app", "name", "run", "_decorated", "_decorated_fun", "_dump_pydantic_arguments"}
    for option in cls.__dict__:
        if option in known or (option.startswith("__") and option.endswith("__")):
            continue
        close = difflib.get_close_matches(option, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise TypeError(f"task {cls.__dict__['name']!r} has the unknown option {option!r}{hint}")
