"""Errors of a task, sorted by the one thing that matters to the runtime: may another try succeed?"""

from celery.exceptions import Ignore
from django.db import InterfaceError, OperationalError


class Transient(Exception):  # noqa: N818  an adjective says what matters: Transient against Permanent
    """It may succeed later: a time-out, a 503, a lock. The task is tried again, with backoff and jitter."""


class Permanent(Exception):  # noqa: N818
    """It can never succeed: a declined card, a damaged file. The task fails at once and is not tried again."""


# What JobTask retries. A database that restarts, deadlocks or drops a connection is transient by nature; every
# other exception is a bug or a refusal, and trying it again would only repeat it.
RETRIED: tuple[type[Exception], ...] = (Transient, OperationalError, InterfaceError)


class Stopped(Ignore):
    """Somebody asked for the job to be cancelled, and it has come to a checkpoint. Let it pass: it ends the task."""

    # The pool's process hands it to the worker's by pickle, which makes it anew from its arguments.
    def __init__(self, reason: str = "cancelled") -> None:
        super().__init__(reason)


class Postponed(Ignore):
    """It is not the time for it: the job goes back to the ledger as it was, and this was none of its tries.

    For what the job itself has no part in: a provider that is known to be down, a rate that is used up.

    Args:
        seconds: how long it waits.
        reason: why, for people.

    """

    def __init__(self, seconds: float, reason: str) -> None:
        super().__init__(seconds, reason)
        self.seconds, self.reason = seconds, reason

    def __str__(self) -> str:
        return self.reason


class PoisonPill(Permanent):
    """The job took its worker with it each time it was tried."""


class Buried(Permanent):
    """Somebody has given the job up before it ran."""
