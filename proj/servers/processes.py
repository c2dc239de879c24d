"""The processes of the whole system on one machine: what each is called, how it is started, when it is stopped."""

import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from socket import socket
from typing import NamedTuple

from proj.queues import WORKERS, WorkerGroup

# Order of starting; they are stopped the other way round: first nothing new comes in, then what is in hand is
# finished, and the provider that it may still have to ask goes last.
PROVIDER, WORKER, SOURCE = range(3)
# Seconds from SIGTERM to SIGKILL. Workers finish the tasks they run; what is killed is delivered again later.
GRACE, WORKER_GRACE = 10.0, 30.0
WEB_WORKERS, WEB_THREADS = 2, 8  # a laptop's share; requests wait for nothing but the database
# And threads that wait for news, each for one client (proj/live): 40 kB of memory and no connection while it does. A
# thread that has answered other requests keeps its connection: 96 at the very most, of 300 (postgres.py).
WEB_STREAMS = 40


class Process(NamedTuple):
    """One process to keep running.

    ``environment`` is added to the supervisor's own; ``stage`` says when it starts and stops; ``grace`` is how many
    seconds it has to end by itself; ``inherits`` are the descriptors of the supervisor's open sockets that it gets.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    stage: int
    grace: float
    inherits: tuple[int, ...] = ()


def system(*, web: socket, payments: socket, var_dir: Path, faults: float = 0.0) -> list[Process]:
    """Return the processes of the system: the payment provider's stand-in, the workers, beat, the web server.

    Args:
        web: listens for the web server, on the loopback address; a server that is started again finds it as it was.
        payments: listens for the stand-in for the payment provider.
        var_dir: the folder for everything that the processes write.
        faults: the share of requests and webhooks that the stand-in spoils, drawn by a fixed seed.

    """
    shared = {
        "VAR_DIR": str(var_dir),
        "STRIPE_API_BASE": _address(payments),
        "PYTHONUNBUFFERED": "1",  # a line is in the log when it is printed
    }
    # A new one at each start: the provider signs what is still to be delivered with the one that it has then.
    secret = f"whsec_{secrets.token_hex(16)}"
    return [
        _payments(payments, f"{_address(web)}/webhooks/payments", secret, faults, shared),
        *(_worker(group, shared) for group in WORKERS),
        _python("beat", SOURCE, shared, "-m", "celery", "-A", "proj", "beat", "--loglevel=INFO"),
        _web(web, shared | {"STRIPE_WEBHOOK_SECRET": secret}),
    ]


def _address(listening: socket) -> str:
    host, port = listening.getsockname()
    return f"http://{host}:{port}"


def _payments(
    listening: socket, webhook: str, secret: str, faults: float, environment: Mapping[str, str]
) -> Process:
    return _python(
        "payments",
        PROVIDER,
        environment,
        *("manage.py", "payment_sandbox", f"--fd={listening.fileno()}"),
        f"--books={Path(environment['VAR_DIR']) / 'payment_sandbox.sqlite3'}",
        *(f"--webhook={webhook}", f"--webhook-secret={secret}", f"--faults={faults}"),
        inherits=listening,
    )


def _worker(group: WorkerGroup, environment: Mapping[str, str]) -> Process:
    return _python(
        group.name,
        WORKER,
        environment,
        *("-m", "celery", "-A", "proj", "worker", "--loglevel=INFO", f"--hostname={group.name}@%h"),
        *(f"--queues={','.join(group.queues)}", f"--pool={group.pool}", f"--concurrency={group.concurrency}"),
    )


def _web(listening: socket, environment: Mapping[str, str]) -> Process:
    return _python(
        "web",
        SOURCE,
        {**environment, "LIVE_STREAMS": str(WEB_STREAMS)},
        *("-m", "gunicorn", "proj.wsgi:application", f"--bind=fd://{listening.fileno()}"),
        *(f"--workers={WEB_WORKERS}", f"--threads={WEB_THREADS + WEB_STREAMS}", "--graceful-timeout=8"),
        "--no-control-socket",  # it would be one for all of the user's gunicorns, in their home folder
        inherits=listening,
    )


def _python(
    name: str, stage: int, environment: Mapping[str, str], *arguments: str, inherits: socket | None = None
) -> Process:
    grace = WORKER_GRACE if stage == WORKER else GRACE
    descriptors = () if inherits is None else (inherits.fileno(),)
    return Process(name, [sys.executable, *arguments], environment, stage, grace, descriptors)
