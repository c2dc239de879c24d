"""The whole system on one machine: prepared, started, ready, stopped. What ``up`` and ``demo`` have in common."""

import http.client
import io
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from django.core.management import call_command

from proj.servers.errors import ServerError
from proj.servers.processes import system
from proj.servers.state import LOOPBACK, listen
from proj.servers.supervisor import LOOK_EVERY, Supervisor

ANSWER_SECONDS = 5  # /readyz asks the broker and every worker, which takes one on slow cores
READY_SECONDS = 120  # a dozen Python processes start on two slow cores; 10 s on a laptop
PREPARATION = (("migrate", "--verbosity=0"), ("ensure_schedules",), ("ensure_groups",), ("load_sample",))


class System:
    """The web server, the workers, beat and the payment sandbox, writing to ``var_dir``.

    The caller holds ``OneAtATime`` of ``var_dir``. The ports are taken here, before anything is started, and kept
    until ``stop``: what answers there is ours.

    Args:
        var_dir: the folder for everything that the processes write.
        port: where the web server listens; if somebody else does, the first free port above it.
        terminal: shows the lines of all processes; None: logs only.
        faults: the share of requests and webhooks that the payment sandbox spoils.

    Raises:
        ServerError: no port is free.

    """

    def __init__(self, var_dir: Path, port: int, terminal: TextIO | None = None, faults: float = 0.0) -> None:
        self.var_dir = var_dir
        self._web, self._payments = listen(port), listen(0)
        self.port = int(self._web.getsockname()[1])
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.payments_url = f"http://{LOOPBACK}:{self._payments.getsockname()[1]}"
        # Mail becomes files, unless the person named a server.
        os.environ.setdefault("EMAIL_URL", "filemail://")
        processes = system(web=self._web, payments=self._payments, var_dir=var_dir, faults=faults)
        self.supervisor = Supervisor(processes, var_dir, terminal)

    def prepare(self, say: Callable[[str], None]) -> None:
        """Bring the database up to date and fill in what every installation has; ``say`` hears what is done."""
        for command, *arguments in PREPARATION:
            said = io.StringIO()
            call_command(command, *arguments, stdout=said, no_color=True)
            first, _, _ = said.getvalue().partition("\n")
            say(f"{command}: {first or 'done'}")

    def start(self, interrupted: Callable[[], bool]) -> None:
        """Start the processes and wait until the system says it is ready, or ``interrupted`` does.

        Raises ServerError, naming what is missing and where the logs are, when it is not ready in time.
        """
        self.supervisor.start()
        deadline = time.monotonic() + READY_SECONDS
        answer = ""
        while not interrupted():
            self.supervisor.look()
            ready, answer = self._is_ready()
            if ready:
                return
            if time.monotonic() > deadline:
                raise ServerError(f"Not ready after {READY_SECONDS} s: {answer} Logs: {self.var_dir / 'log'}")
            time.sleep(LOOK_EVERY)

    def stop(self, hurry: threading.Event | None = None) -> None:
        """Stop the processes, at once if ``hurry`` is set, and let go of the ports."""
        self.supervisor.stop(hurry)
        self._web.close()
        self._payments.close()

    def _is_ready(self) -> tuple[bool, str]:
        # The kernel takes the connection before the web server is there to answer: not long, the logs want showing.
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", "/readyz")
            response = connection.getresponse()
            return response.status == http.client.OK, response.read().decode(errors="replace").strip()
        except (OSError, http.client.HTTPException) as error:
            return False, f"{self.url}/readyz: {error}."
        finally:
            connection.close()
