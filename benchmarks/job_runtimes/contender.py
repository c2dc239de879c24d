"""One runtime under test: its client, its processes, and what they and the servers cost."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]


class Contender:
    """A runtime whose workers run only while it has its turn: between turns they are stopped (SIGSTOP).

    Args:
        name: for people.
        module: of ``benchmarks.job_runtimes``.
        folder: for logs and marks.
        environment: beyond this process's own.

    """

    def __init__(self, name: str, module: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.module = f"benchmarks.job_runtimes.{module}"
        self.marks = folder / f"{name}.marks"
        self.environment = {
            **os.environ,
            **environment,
            "BENCH_MARKS": str(self.marks),
            "PYTHONPATH": str(ROOT),
        }
        self.folder = folder
        self.processes: list[psutil.Popen] = []
        self.client = self._start("client", "-m", "benchmarks.job_runtimes.client", self.module, pipes=True)

    def ask(self, command: str, *arguments: Any) -> Any:
        """Have the client do something; return its answer."""
        self.client.stdin.write(json.dumps([command, *arguments]) + "\n")
        self.client.stdin.flush()
        answer = self.client.stdout.readline()
        if not answer:
            log = (self.folder / f"{self.name}.client.log").read_text()
            raise RuntimeError(f"the client of {self.name} has ended:\n{log[-2000:]}")
        return json.loads(answer)

    def start(self) -> None:
        """Start the workers, and stop them as soon as they have run their first jobs."""
        for number, arguments in enumerate(self.ask("processes")):
            self.processes.append(self._start(f"process{number}", *arguments))
        self.ask("top_up", 200)
        self.ask("drain")
        self._signal(signal.SIGSTOP)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Let the workers run."""
        self._signal(signal.SIGCONT)
        try:
            yield
        finally:
            self._signal(signal.SIGSTOP)

    def throughput(self, seconds: float, servers: list[psutil.Process]) -> tuple[float, float]:
        """Let the workers run for some time; return jobs per second, and milliseconds of CPU per job, servers included."""
        processes = [*self.processes, *servers]
        before = sum(map(_cpu, processes))
        count, start = self._count(), time.perf_counter()
        with self.turn():
            time.sleep(seconds)
        took, done = time.perf_counter() - start, self._count() - count
        return done / took, 1000 * (sum(map(_cpu, processes)) - before) / max(done, 1)

    def end(self) -> None:
        self._signal(signal.SIGCONT)
        for process in [*self.processes, self.client]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _count(self) -> int:
        return self.marks.stat().st_size // 16

    def _signal(self, number: signal.Signals) -> None:
        for process in self.processes:
            os.killpg(process.pid, number)

    def _start(self, name: str, *arguments: str, pipes: bool = False) -> Any:
        pipe = subprocess.PIPE if pipes else subprocess.DEVNULL
        with (self.folder / f"{self.name}.{name}.log").open("ab") as log:
            return psutil.Popen(
                [sys.executable, *arguments], cwd=ROOT, env=self.environment, text=True,
                stdin=pipe, stdout=pipe if pipes else log, stderr=log, start_new_session=True,
            )  # fmt: skip


def _cpu(process: psutil.Process) -> float:
    """Seconds of CPU of a process and its children, those that have ended included."""
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(one.cpu_times()[:4])  # user, system, children's user, children's system
    return total
