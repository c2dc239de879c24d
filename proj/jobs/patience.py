"""What must reach the database, though it may be away for a moment."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, connection

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds between the tries while the database is away: about a minute in all, as a restart takes at most.
WAITS = (0.05, 0.2, 0.5, 1, 2, 5, 10, 20, 20)
AWAY = (OperationalError, InterfaceError)


def insist(write: Callable[[], T], *, what: str) -> T:
    """Call ``write`` until the database takes it, each time on a fresh connection.

    Args:
        write: it may be called again after it had its effect: an answer may have been lost on its way.
        what: what is written, for the log.

    Raises:
        OperationalError, InterfaceError: a minute was not enough; or a transaction is open, whose loss is for
            whoever opened it to repair.

    A soft time limit that strikes here is passed over: the work is done, and only its outcome is missing.

    """
    waits = iter(WAITS)
    pause: float | None = 0
    while True:
        try:
            if pause:
                time.sleep(pause)
            return write()
        except SoftTimeLimitExceeded:
            connection.close()  # it may have struck in the middle of a query
        except AWAY as error:
            if connection.in_atomic_block:
                raise
            connection.close()
            pause = next(waits, None)
            if pause is None:
                raise
            logger.warning("the database is away, %s waits for it: %s", what, error)
