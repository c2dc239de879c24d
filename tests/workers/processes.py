"""Real processes for tests: started, waited for, killed, stopped; and patience with a deadline."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from celery import current_app

from tests.waiting import PATIENCE, eventually

PROJECT = Path(__file__).parent.parent.parent


class Process:
    """One process of Celery, with its log in a file."""

    def __init__(self, name: str, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "celery", *command],
                cwd=PROJECT,
                env=os.environ | environment,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a group of its own: killing it takes its children along
            )

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines of the log that are JSON, in order."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def says(self, text: str) -> bool:
        return text in self.log.read_text()

    def kill(self) -> None:
        """End it and its children as a power cut would."""
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait(PATIENCE)

    def stop(self) -> int:
        """End it as a supervisor would. Returns its exit code."""
        self.popen.terminate()
        try:
            return self.popen.wait(PATIENCE)
        finally:
            self.kill()


class Worker(Process):
    """A worker process; ``wait_until_ready`` before it is relied on."""

    def __init__(
        self,
        name: str,
        queues: str,
        folder: Path,
        environment: dict[str, str],
        *,
        pool: str,
        concurrency: int,
        app: str = "tests.workers.app",
    ) -> None:
        self.hostname = f"{name}@test"
        # Mingling and gossip are talk between workers: a second of start-up that no test is about.
        command = [
            "-A",
            app,
            "worker",
            "--loglevel=INFO",
            "--hostname",
            self.hostname,
            "--queues",
            queues,
        ]
        command += ["--pool", pool, "--concurrency", str(concurrency), "--without-mingle", "--without-gossip"]
        super().__init__(name, command, folder, environment)

    def wait_until_ready(self) -> "Worker":
        eventually(self._answers, seconds=60, why=f"{self.hostname} does not answer; its log is {self.log}")
        return self

    def _answers(self) -> bool:
        assert self.popen.poll() is None, f"{self.hostname} has ended:\n{self.log.read_text()[-3000:]}"
        return bool(current_app.control.ping([self.hostname], timeout=1, limit=1))
