"""How a no-op job says that it has run: a line of fixed length in a file, the same way for every runtime."""

import os
import struct
import time
from functools import cache
from pathlib import Path

_LINE = struct.Struct("<Qd")


def path() -> Path:
    return Path(os.environ["BENCH_MARKS"])


@cache
def _file() -> int:
    return os.open(path(), os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def leave(number: int) -> None:
    """Append one line: atomic for so few bytes, and some microseconds long."""
    os.write(_file(), _LINE.pack(number, time.time()))


def count() -> int:
    return path().stat().st_size // _LINE.size if path().exists() else 0


def moments() -> dict[int, float]:
    """When each job ran, by its number."""
    return dict(_LINE.iter_unpack(path().read_bytes()))
