"""What a supervisor writes down about its processes, so that the next one can end what a killed one left behind."""

import fcntl
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple

import psutil

from proj.servers.account import say
from proj.servers.state import write_private

MARK = "SUPERVISED_FROM"  # in the environment of every supervised process: the var folder
# psutil reckons start times from the boot time, which moves by up to a second when the clock is set.
# No process number comes round again so soon.
CLOCK_SECONDS = 2.0
END_SECONDS = 5.0


class Record(NamedTuple):
    """A process that leads a session of its own: its number, and when it started as seconds since the epoch."""

    name: str
    pid: int
    started: float


class OneAtATime:
    """The right to run processes on a var folder. As a context: True when it is ours, False when another has it."""

    def __init__(self, var_dir: Path) -> None:
        self.folder = var_dir / "run"
        self._file: Any = None

    def __enter__(self) -> bool:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file = (self.folder / "supervisor.lock").open("a")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def write_records(var_dir: Path, records: Iterable[Record]) -> None:
    """Write down which processes run for ``var_dir``, in place of what was written before."""
    write_private(_file(var_dir), json.dumps([record._asdict() for record in records]))


def read_records(var_dir: Path) -> list[Record]:
    try:
        return [Record(**entry) for entry in json.loads(_file(var_dir).read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []


def end_leftovers(var_dir: Path) -> list[str]:
    """End what a killed supervisor of ``var_dir`` left running, and return the names of those processes.

    Call it as the holder of ``OneAtATime``.
    """
    records = read_records(var_dir)
    left = {record.name: members(record, var_dir) for record in records}
    left = {name: processes for name, processes in left.items() if processes}
    end([process for processes in left.values() for process in processes], grace=END_SECONDS)
    if left:
        say(f"ended what a killed run left behind: {', '.join(left)}")
    _file(var_dir).unlink(missing_ok=True)
    return list(left)


def members(record: Record, var_dir: Path) -> list[psutil.Process]:
    """Return the live processes of the record's session that are ours, never one that got the number since."""
    return [process for process in psutil.process_iter() if _belongs(process, record, var_dir)]


def end(processes: Sequence[psutil.Process], *, grace: float) -> None:
    """End the processes: SIGTERM, and SIGKILL for those that are still there after ``grace`` seconds."""
    if grace:
        _signal(processes, "terminate")
    _, stubborn = psutil.wait_procs(processes, timeout=grace)
    _signal(stubborn, "kill")
    psutil.wait_procs(stubborn, timeout=END_SECONDS)


def _belongs(process: psutil.Process, record: Record, var_dir: Path) -> bool:
    try:
        if os.getsid(process.pid) != record.pid or process.status() == psutil.STATUS_ZOMBIE:
            return False
        if process.pid == record.pid:
            return abs(process.create_time() - record.started) < CLOCK_SECONDS
        return process.environ().get(MARK) == str(var_dir)
    except (psutil.Error, OSError):
        return False


def _signal(processes: Sequence[psutil.Process], action: Literal["terminate", "kill"]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # psutil compares start times itself
            getattr(process, action)()


def _file(var_dir: Path) -> Path:
    return var_dir / "run" / "processes.json"
