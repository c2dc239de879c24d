"""Named points where the tests of faults may kill, break or stall a process; nothing happens in production.

``FAILPOINT=name:action[:times]`` arms one point of a process: ``kill`` ends it as ``kill -9`` would, ``raise`` raises
:class:`Injected`, ``stall`` sleeps ten seconds, each the first ``times`` passes (default 1; 0: every pass). With
``FAILPOINT_ONCE=path`` a pass counts only for the process that creates that file, so that the worker that is started
in its place does not die too.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

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
    "result",  # everything is written, the transaction is open
    "finished",  # committed; the message is not acknowledged
    "retry",  # a retry is decided; not stored
    "bury",  # a failure is decided; not stored
    "slot",  # a slot is computed; the transaction is open
    "slot_enqueued",  # the slot's job is recorded, the transaction is open
    "rescue",  # an orphan is found; not set free
    "rung",  # due rows are marked as rung and committed; not published
)
STALL_SECONDS: Final = 10.0


class Injected(Exception):  # noqa: N818  it is no error of ours
    """What an armed failpoint raises."""


def failpoint(name: str) -> None:
    """Do what was armed for this point; in production nothing is."""
    if _armed is not None:
        _armed(name)


def _arm(setting: str, once: str | None) -> Callable[[str], None]:
    armed, action, *times = setting.split(":")
    if armed not in POINTS:
        raise ValueError(f"no such failpoint: {armed}")
    left = int(times[0]) if times else 1
    act = _ACTIONS[action]

    def pass_by(name: str) -> None:
        nonlocal left
        if name != armed or left < 0 or not (once is None or _is_first(Path(once))):
            return
        left = left - 1 if left > 1 else -1 if left == 1 else 0
        act()

    return pass_by


def _is_first(marker: Path) -> bool:
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _raise() -> NoReturn:
    raise Injected


def _stall() -> None:
    time.sleep(STALL_SECONDS)


_ACTIONS: Final[dict[str, Callable[[], None]]] = {"kill": _kill, "raise": _raise, "stall": _stall}
_armed = _arm(os.environ["FAILPOINT"], os.environ.get("FAILPOINT_ONCE")) if "FAILPOINT" in os.environ else None
