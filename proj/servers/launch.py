"""The whole system on one machine: prepared, started, ready, stopped. What ``up`` and ``demo`` have in common."""

import http.client
import io
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from django.core.management import call_command

from proj.servers.errors import ServerError
from proj.servers.processes import system
from proj.servers.state import LOOPBACK, free_port
from proj.servers.supervisor import LOOK_EVERY, Supervisor

READY_SECONDS = 120  # a dozen Python processes start on two slow cores; 10 s on a laptop
PREPARATION = (("migrate", "--verbosity=0"), ("ensure_schedules",), ("ensure_groups",), ("load_sample",))


class System:
    """The web server on ``port``, the workers, beat and the payment sandbox, writing to ``var_dir``.

    The caller holds ``OneAtATime`` of ``var_dir``. ``terminal`` shows the lines of all of them; None: logs only.
    """

    def __init__(self, var_dir: Path, port: int, terminal: TextIO | None = None) -> None:
        self.var_dir = var_dir
        self.port = port
        self.payments_port = free_port()
        self.url = f"http://{LOOPBACK}:{port}"
        self.payments_url = f"http://{LOOPBACK}:{self.payments_port}"
        # Mail becomes files, unless the person named a server.
        os.environ.setdefault("EMAIL_URL", "filemail://")
        self.supervisor = Supervisor(
            system(port=port, payments_port=self.payments_port, var_dir=var_dir), var_dir, terminal
        )

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

    def _is_ready(self) -> tuple[bool, str]:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=10)
        try:
            connection.request("GET", "/readyz")
            response = connection.getresponse()
            return response.status == http.client.OK, response.read().decode(errors="replace").strip()
        except (OSError, http.client.HTTPException) as error:
            return False, f"{self.url}/readyz: {error}."
        finally:
            connection.close()
