"""Named points where the tests of faults may kill, break or stall a process; nothing happens in production."""

from collections.abc import Callable
from typing import Final

#: Every boundary that a process can die at, in the order in which a job passes them.
POINTS: Final = (
    "record",  # before the row is written
    "recorded",  # the row is written, the transaction is open
    "publish",  # committed; the bell has not been rung
    "published",  # rung
    "claim",  # delivered; not claimed
    "claimed",  # claimed; the body has not begun
    "body",  # the body is done; nothing is stored
    "finish",  # inside the finishing transaction, before anything is written
    "next",  # the next steps are written, in the same transaction
    "fan_in",  # the chord has been counted, in the same transaction
    "result",  # everything is written; what ends in more than one statement is still open
    "finished",  # committed; the message is not acknowledged
    "retry",  # a retry is decided; not stored
    "bury",  # a failure is decided; not stored
    "slot",  # a slot is computed; the transaction is open
    "slot_enqueued",  # the slot's job is recorded, the transaction is open
    "rescue",  # an orphan is found; not set free
    "rung",  # due rows are marked as rung and committed; not published
)

_armed: Callable[[str], None] | None = None


def failpoint(name: str) -> None:
    """Do what was armed for this point; in production nothing is."""
    if _armed is not None:
        _armed(name)


def arm(strike: Callable[[str], None] | None) -> None:
    """Call ``strike`` with the name of each point that this process passes from now on; None: nothing."""
    global _armed  # noqa: PLW0603  one process, one test
    _armed = strike
