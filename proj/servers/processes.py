"""The processes of the whole system on one machine: what each is called, how it is started, when it is stopped."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from proj.queues import WORKERS, WorkerGroup

# Order of starting; they are stopped the other way round: first nothing new comes in, then what is in hand is
# finished, and the provider that it may still have to ask goes last.
PROVIDER, WORKER, SOURCE = range(3)
# Seconds from SIGTERM to SIGKILL. Workers finish the tasks they run; what is killed is delivered again later.
GRACE, WORKER_GRACE = 10.0, 30.0
WEB_WORKERS, WEB_THREADS = 2, 8  # a laptop's share; requests wait for nothing but the database


class Process(NamedTuple):
    """One process to keep running.

    ``environment`` is added to the supervisor's own; ``stage`` says when it starts and stops; ``grace`` is how many
    seconds it has to end by itself.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    stage: int
    grace: float


def system(*, port: int, payments_port: int, var_dir: Path) -> list[Process]:
    """Return the processes of the system: the payment provider's stand-in, the workers, beat, the web server.

    Args:
        port: where the web server listens, on the loopback address.
        payments_port: where the stand-in for the payment provider listens.
        var_dir: the folder for everything that the processes write.

    """
    shared = {
        "VAR_DIR": str(var_dir),
        "STRIPE_API_BASE": f"http://127.0.0.1:{payments_port}",
        "PYTHONUNBUFFERED": "1",  # a line is in the log when it is printed
    }
    books = str(var_dir / "payment_sandbox.sqlite3")
    return [
        _python(
            "payments",
            PROVIDER,
            shared,
            "manage.py",
            "payment_sandbox",
            f"--port={payments_port}",
            f"--books={books}",
        ),
        *(_worker(group, shared) for group in WORKERS),
        _python("beat", SOURCE, shared, "-m", "celery", "-A", "proj", "beat", "--loglevel=INFO"),
        _web(port, shared),
    ]


def _worker(group: WorkerGroup, environment: Mapping[str, str]) -> Process:
    return _python(
        group.name,
        WORKER,
        environment,
        *("-m", "celery", "-A", "proj", "worker", "--loglevel=INFO", f"--hostname={group.name}@%h"),
        *(f"--queues={','.join(group.queues)}", f"--pool={group.pool}", f"--concurrency={group.concurrency}"),
    )


def _web(port: int, environment: Mapping[str, str]) -> Process:
    return _python(
        "web",
        SOURCE,
        environment,
        *("-m", "gunicorn", "proj.wsgi:application", f"--bind=127.0.0.1:{port}"),
        *(f"--workers={WEB_WORKERS}", f"--threads={WEB_THREADS}", "--graceful-timeout=8"),
        "--no-control-socket",  # it would be one for all of the user's gunicorns, in their home folder
    )


def _python(name: str, stage: int, environment: Mapping[str, str], *arguments: str) -> Process:
    grace = WORKER_GRACE if stage == WORKER else GRACE
    return Process(name, [sys.executable, *arguments], environment, stage, grace)
