"""Real workers, beats and clients, forked from the nursery; killed, stopped, continued."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tests.waiting import PATIENCE, eventually
from tests.workers.processes import PROJECT


class Process:
    """One process of the system and its children."""

    def __init__(self, name: str, pid: int, log: Path) -> None:
        self.name, self.pid, self.log = name, pid, log

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def send_to_group(self, number: signal.Signals) -> None:
        """Send a signal to the process and all of its children."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def kill(self) -> None:
        """End it and its children as a power cut would."""
        self.send_to_group(signal.SIGKILL)
        self.wait()

    def is_running(self) -> bool:
        try:
            return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def wait(self) -> None:
        eventually(lambda: not self.is_running(), why=f"{self.name} does not end")

    def children(self) -> list[int]:
        """Return the numbers of the processes of a worker's pool."""
        try:
            return [child.pid for child in psutil.Process(self.pid).children()]
        except psutil.NoSuchProcess:
            return []

    def says(self, text: str) -> bool:
        return self.log.exists() and text in self.log.read_text(errors="replace")


class Nursery:
    """The process that all others are forked from. ``environment`` is theirs too, and so is what it imports first."""

    def __init__(self, folder: Path, environment: dict[str, str], imports: Sequence[str] = ()) -> None:
        self.folder = folder
        self.processes: list[Process] = []
        with (folder / "nursery.log").open("ab") as log:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.nursery", *imports],
                cwd=PROJECT,
                env=os.environ | environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def fork(
        self,
        name: str,
        *,
        guards_off: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        database: dict[str, Any] | None = None,
        transport: dict[str, Any] | None = None,
        unknown: tuple[str, ...] = (),
        **order: Any,
    ) -> Process:
        """Start a process: ``celery`` is a command line of Celery, ``call`` a function with its ``arguments``.

        Args:
            name: of its log.
            guards_off: guards that it has to do without.
            environment: added to the environment,
            database: to the settings of the database, and
            transport: to the broker's transport options.
            unknown: tasks that it has never heard of.
            order: see above.

        """
        log = self.folder / f"{name}.log"
        order |= {
            "log": str(log),
            "environment": environment or {},
            "database": database or {},
            "transport": transport or {},
            "guards_off": guards_off,
            "unknown": unknown,
        }
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._popen.stdin.write(f"{json.dumps(order)}\n")
        self._popen.stdin.flush()
        answer = self._popen.stdout.readline()
        assert answer, f"the nursery has ended:\n{(self.folder / 'nursery.log').read_text()[-3000:]}"
        process = Process(name, int(answer), log)
        self.processes.append(process)
        return process

    def end_all(self) -> None:
        """End every process that was started here."""
        for process in self.processes:
            process.send_to_group(signal.SIGKILL)
        for process in self.processes:
            process.wait()
        self.processes.clear()

    def close(self) -> None:
        """End every process that was started here, and the nursery."""
        self.end_all()
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        self._popen.wait(PATIENCE)
        assert self._popen.stdout is not None
        self._popen.stdout.close()
