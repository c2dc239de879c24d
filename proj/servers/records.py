"""What a supervisor writes down about its processes, so that the next one can end what a killed one left behind."""

import fcntl
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple

import psutil

from proj.servers.account import say
from proj.servers.state import write_private

# In the environment of every supervised process, and so of whatever it starts: for which var folder, and as what.
MARK = "SUPERVISED_AS"
# psutil reckons start times from the boot time, which moves by up to a second when the clock is set.
# No process number comes round again so soon.
CLOCK_SECONDS = 2.0
END_SECONDS = 5.0


class Record(NamedTuple):
    """A process of the system: its number, and when it started, as seconds since the epoch."""

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
    left = running(var_dir, read_records(var_dir))
    end([process for processes in left.values() for process in processes], grace=END_SECONDS)
    if left:
        say(f"ended what a killed run left behind: {', '.join(left)}")
    _file(var_dir).unlink(missing_ok=True)
    return list(left)


def running(var_dir: Path, records: Sequence[Record]) -> dict[str, list[psutil.Process]]:
    """Return the live processes of ``var_dir`` by name: the recorded ones, and whatever carries their mark.

    Never one that merely got a recorded number since.
    """
    found: defaultdict[str, list[psutil.Process]] = defaultdict(list)
    for process in psutil.process_iter():
        name = _name_of(process, var_dir, records)
        if name is not None:
            found[name].append(process)
    return dict(found)


def mark(var_dir: Path, name: str) -> str:
    """Return the value of ``MARK`` for the process ``name`` of ``var_dir``."""
    return f"{name}@{var_dir}"


def end(processes: Sequence[psutil.Process], *, grace: float) -> None:
    """End the processes: SIGTERM, and SIGKILL for those that are still there after ``grace`` seconds."""
    if grace:
        _signal(processes, "terminate")
    _, stubborn = psutil.wait_procs(processes, timeout=grace)
    _signal(stubborn, "kill")
    psutil.wait_procs(stubborn, timeout=END_SECONDS)


def _name_of(process: psutil.Process, var_dir: Path, records: Sequence[Record]) -> str | None:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        for record in records:
            if process.pid == record.pid and abs(process.create_time() - record.started) < CLOCK_SECONDS:
                return record.name
        name, _, folder = process.environ().get(MARK, "").partition("@")
    except psutil.Error:  # gone, or another user's
        return None
    return name if folder == str(var_dir) else None


def _signal(processes: Sequence[psutil.Process], action: Literal["terminate", "kill"]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # psutil compares start times itself
            getattr(process, action)()


def _file(var_dir: Path) -> Path:
    return var_dir / "run" / "processes.json"
