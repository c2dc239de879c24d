"""JobTask, the base of every task: limits, retry policy and progress; mistakes are refused when it is defined."""

import difflib
from typing import Any, ClassVar

from celery import Task

from proj.jobs.errors import RETRIED

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

    def progress(self, done: int, total: int, step: str = "") -> None:
        """Store the custom state PROGRESS with how far the work has come.

        Args:
            done: units finished so far.
            total: units in all.
            step: what is being done now, in words for people.

        A task that was called directly, outside a worker, has no id and stores nothing.
        """
        if self.request.id is not None:
            self.update_state(state=PROGRESS, meta={"done": done, "total": total, "step": step})


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
