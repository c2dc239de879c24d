"""Arming a failpoint of running processes for one case among many, and what happens to the process that passes it.

A file in the folder ``armed`` names the point, the fault and the case. Whoever removes it suffers the fault, so each
strikes once; what is started in its place goes unharmed.
"""

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from celery import current_task
from django.db import connection

from tests.chaos.effects import Effects

FOLDER: Final = "CHAOS_FOLDER"  # the environment variable
ANY: Final = "any"  # a case: whoever comes first
# Seconds: three looks of the dispatcher, so that it would have taken the job from a process that is merely slow.
STALL_SECONDS: Final = 3.5

#: The case of a process that is no worker. One process serves one case.
own_case: str | None = None


class Injected(Exception):  # noqa: N818
    """What an armed failpoint raises: nothing that the code expects."""


def strike(point: str, case_in_hand: str | None = None) -> None:
    """Suffer what is armed for this point and the case in hand (by default that of the task that runs), if anything."""
    folder = Path(os.environ[FOLDER])
    for file in (folder / "armed").iterdir():
        armed, fault, case = file.name.split("~")
        if armed == point and case in (ANY, case_in_hand or _case_in_hand()):
            try:
                file.unlink()
            except FileNotFoundError:
                continue
            Effects(folder).write("fault", case=case, point=point, fault=fault)
            FAULTS[fault]()
            return


def arm(folder: Path, point: str, fault: str, case: str = ANY) -> None:
    """Let the next process that passes ``point`` with ``case`` in hand suffer ``fault``."""
    (folder / "armed").mkdir(exist_ok=True)
    (folder / "armed" / f"{point}~{fault}~{case}").touch()


def _case_in_hand() -> str | None:
    if current_task and current_task.request.kwargs:
        return str(current_task.request.kwargs.get("case"))
    return own_case


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_group() -> None:
    os.killpg(os.getpgid(0), signal.SIGKILL)


def _raise() -> None:
    raise Injected


def _stall() -> None:
    time.sleep(STALL_SECONDS)


def _cut() -> None:
    """Lose the connection to the database, without anybody having noticed."""
    if connection.connection is not None:
        with socket.socket(fileno=os.dup(connection.connection.fileno())) as link:
            link.shutdown(socket.SHUT_RDWR)


FAULTS: Final[dict[str, Callable[[], None]]] = {
    "kill": _kill,  # SIGKILL: this process
    "kill-group": _kill_group,  # SIGKILL: this process, its parent and its siblings, as when a machine dies
    "raise": _raise,
    "stall": _stall,
    "cut": _cut,
}
