"""Keeps the processes of the system running, and leaves none behind."""

import os
import threading
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TextIO

from proj.servers.child import Child
from proj.servers.environment import BASE_DIR
from proj.servers.processes import Process
from proj.servers.records import write_records

LOOK_EVERY = 0.1  # seconds between looks at the processes and their logs
COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95)  # cyan, yellow, green, ... of a terminal; red is for trouble
RED = 31


class Supervisor:
    """Starts ``processes``, starts again what ends by itself, and stops them all.

    Args:
        processes: what to run.
        var_dir: where their logs go (``log``) and where they are written down (``run``). The caller holds
            ``OneAtATime`` of it.
        terminal: where their lines are shown as well, each with the name of its process; None for nowhere.

    ``incidents`` tells, one line each, what ended by itself and was started again.
    """

    def __init__(self, processes: Sequence[Process], var_dir: Path, terminal: TextIO | None = None) -> None:
        self.var_dir = var_dir
        in_order = sorted(processes, key=lambda process: process.stage)
        self.children = [Child(process, BASE_DIR, var_dir) for process in in_order]
        self.incidents: list[str] = []
        self._terminal = terminal
        self._width = max((len(process.name) for process in processes), default=0)
        self._colours = dict(zip((process.name for process in processes), cycle(COLOURS), strict=False))
        self._coloured = terminal is not None and terminal.isatty() and not os.environ.get("NO_COLOR")

    def start(self) -> None:
        """Start every process, in the order of their stages."""
        for child in self.children:
            child.start()
            self._write_down()

    def watch(self, until: threading.Event) -> None:
        """Show lines and revive processes until the event is set."""
        while not until.wait(LOOK_EVERY):
            self.look()

    def look(self) -> None:
        """Show the new lines, and start again what has ended."""
        self._show_lines()
        for child in self.children:
            news = child.revive()
            if news is not None:
                self.incidents.append(f"{child.process.name} {news}")
                self._show(child.process.name, news, RED)
                self._write_down()

    def stop(self, hurry: threading.Event | None = None) -> None:
        """Stop every process, last stage first: SIGTERM, and SIGKILL when its grace is over or ``hurry`` is set."""
        for stage in sorted({child.process.stage for child in self.children}, reverse=True):
            group = [child for child in self.children if child.process.stage == stage]
            begun = time.monotonic()
            for child in group:
                child.terminate()
            while any(child.is_running for child in group):
                self._show_lines()
                for child in group:
                    late = time.monotonic() - begun > child.process.grace
                    if child.is_running and (late or (hurry is not None and hurry.is_set())):
                        self._show(child.process.name, "does not stop: killed", RED)
                        child.kill()
                time.sleep(LOOK_EVERY / 2)
            for child in group:
                child.kill()  # what it may have left behind
        self._show_lines()
        self._write_down()

    def _write_down(self) -> None:
        write_records(
            self.var_dir, [child.record for child in self.children if child.record and child.is_running]
        )

    def _show_lines(self) -> None:
        for child in self.children:
            for line in child.new_lines():
                self._show(child.process.name, line, self._colours[child.process.name])

    def _show(self, name: str, line: str, colour: int) -> None:
        if self._terminal is None:
            return
        label = f"{name:>{self._width}} |"
        if self._coloured:
            label = f"\x1b[{colour}m{label}\x1b[0m"
        try:
            print(label, line, file=self._terminal, flush=True)
        except OSError:  # the terminal is gone; the processes need their supervisor all the same
            self._terminal = None
