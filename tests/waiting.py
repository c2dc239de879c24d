"""Waiting for what other processes and threads do: never for a time, always for what is to be seen."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 30  # seconds; everything here takes well under ten on an idle machine

Found = TypeVar("Found")


def eventually(
    look: Callable[[], Found], seconds: float = PATIENCE, *, why: str = "", pause: float = 0.05
) -> Found:
    """Look until what is seen is true, and return it.

    Args:
        look: what is to be true.
        seconds: how long that may take.
        why: what it means if it does not come true; added to the failure.
        pause: seconds between two looks.

    Raises:
        AssertionError: it was not within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain. {why}"
        time.sleep(pause)
    return found
