"""The web server, started with the very command that `make up` uses."""

import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Self

import psutil
import requests

from proj.servers import processes
from tests.waiting import eventually

PROJECT = Path(__file__).parent.parent.parent
REQUESTS = 4  # threads for requests, beside those for streams


class Server:
    """Listens on a port of its own. Ended with whatever it started, in any case."""

    def __init__(
        self, folder: Path, environment: dict[str, str], workers: int, streams: int, off: str
    ) -> None:
        self.log = folder / "web.log"
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            web = processes._web(listening, environment)
            arguments = [
                *(argument for argument in web.argv if not argument.startswith(("--workers", "--threads"))),
                f"--workers={workers}",
                f"--threads={streams + REQUESTS}",
            ]
            if off:
                arguments[arguments.index("proj.wsgi:application")] = "tests.live.unguarded:application"
            with self.log.open("ab") as log:
                self.popen = subprocess.Popen(
                    arguments,
                    cwd=PROJECT,
                    env={**os.environ, **web.environment, "LIVE_STREAMS": str(streams), "GUARD_OFF": off},
                    stdout=log,
                    stderr=log,
                    pass_fds=web.inherits,
                    start_new_session=True,
                )

    def __enter__(self) -> Self:
        eventually(lambda: self.log.read_text().count("Booting worker"), why="no worker")
        assert requests.get(f"{self.url}/healthz", timeout=30).status_code == 200
        return self

    def __exit__(self, *_: object) -> None:
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait(10)

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.popen.pid).children()

    def events(self, kind: str, identity: object) -> str:
        """The address of something's events."""
        return f"{self.url}/api/v1/{kind}/{identity}/events"
