"""One process under supervision: started, watched, started again when it ends by itself, stopped."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from proj.servers.processes import Process
from proj.servers.records import MARK, Record, end, mark, running

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds before it is started again; doubled each time
SETTLED = 60.0  # seconds after which a process counts as healthy, and its next end as the first
KILLED_WITHIN = 5.0  # seconds until the kernel has done with a killed process
LARGEST_LOG = 10_000_000  # bytes; at the next start the file becomes NAME.log.1


class Child:
    """A ``process`` that runs from ``base_dir`` and writes its lines to a log under ``var_dir``.

    It writes to the file itself: neither a slow terminal nor the end of the supervisor holds it up.
    It is in a session of its own, so that the terminal's Ctrl-C does not reach it: the supervisor stops it in its turn.
    """

    def __init__(self, process: Process, base_dir: Path, var_dir: Path) -> None:
        self.process = process
        self.log = var_dir / "log" / f"{process.name}.log"
        self.record: Record | None = None
        self._base_dir = base_dir
        self._var_dir = var_dir
        self._running: subprocess.Popen[bytes] | None = None
        self._begun = 0.0
        self._pause = FIRST_PAUSE
        self._start_at: float | None = None
        self._read_to = 0
        self._half_line = b""

    @property
    def is_running(self) -> bool:
        return self._running is not None and self._running.poll() is None

    def start(self) -> None:
        """Start the process."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))
        self._start_at = None
        with self.log.open("ab") as log:
            if self._running is None:
                self._read_to = log.tell()  # what an earlier run wrote is not news
            self._running = subprocess.Popen(
                self.process.argv,
                cwd=self._base_dir,
                env={**os.environ, **self.process.environment, MARK: mark(self._var_dir, self.process.name)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=self.process.inherits,
            )
        self._begun = time.monotonic()
        self.record = Record(self.process.name, self._running.pid, _start_time(self._running.pid))

    def revive(self) -> str | None:
        """Start the process again if it ended and its pause is over; return what there is to say about it."""
        if self._running is None or self.is_running:
            return None
        if self._start_at is None:
            if time.monotonic() - self._begun > SETTLED:
                self._pause = FIRST_PAUSE
            pause, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE)
            self._start_at = time.monotonic() + pause
            self.kill()  # what it may have left behind
            return f"{_ending(self._running.returncode)}; starting it again in {pause:g} s (see {self.log})"
        if time.monotonic() >= self._start_at:
            self.start()
            return "started again"
        return None

    def terminate(self) -> None:
        """Ask the process to end."""
        if self._running is not None and self.is_running:
            self._running.terminate()

    def kill(self) -> None:
        """End the process and whatever it started, now."""
        if self.record is not None:
            end(running(self._var_dir, [self.record]).get(self.process.name, []), grace=0)
            self.wait(KILLED_WITHIN)

    def wait(self, seconds: float) -> bool:
        """Wait up to ``seconds`` for the process to end, and say whether it did."""
        if self._running is None:
            return True
        try:
            self._running.wait(max(seconds, 0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def new_lines(self) -> Iterator[str]:
        """Return the whole lines that the log has gained since the last call."""
        with suppress(FileNotFoundError), self.log.open("rb") as log:
            if log.seek(0, os.SEEK_END) < self._read_to:  # somebody emptied or replaced it
                self._read_to = 0
            log.seek(self._read_to)
            text = self._half_line + log.read()
            self._read_to = log.tell()
            *lines, self._half_line = text.split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)


def _start_time(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:  # it has ended already
        return time.time()


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    return f"was killed by {signal.Signals(-code).name}"
