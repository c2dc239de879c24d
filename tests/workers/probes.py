"""Tasks that show how workers treat tasks. Each run leaves a line in VAR_DIR, so that runs can be counted."""

import os
import time
from pathlib import Path
from typing import Any

import structlog
from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import connection

from proj.jobs.errors import Permanent, Transient

LIMITS = {"queue": "default", "soft_time_limit": 20, "time_limit": 30}

logger = structlog.get_logger(__name__)


def runs_file() -> Path:
    return Path(settings.VAR_DIR) / "runs"


def record(token: str) -> None:
    """Append a line: one write of a few bytes to a file opened for appending is atomic."""
    with runs_file().open("a") as file:
        file.write(f"{token}\n")


@shared_task(name="probes.echo", **LIMITS)
def echo(token: str) -> str:
    record(token)
    return token


@shared_task(name="probes.steps", bind=True, **LIMITS)
def steps(self: Any, gate: str) -> str:
    """Make half of two steps known, then wait until the test has seen it."""
    self.progress(1, 2, "halfway")
    while not Path(gate).exists():
        time.sleep(0.05)
    return "done"


@shared_task(name="probes.stoppable", bind=True, **LIMITS)
def stoppable(self: Any, token: str) -> None:
    """Say that it runs, and go on until it is asked to stop."""
    record(token)
    while True:
        self.checkpoint()
        time.sleep(0.05)


@shared_task(name="probes.flaky", bind=True, **LIMITS)
def flaky(self: Any, token: str, failures: int) -> int:
    """Fail in passing so many times, then succeed. Returns the retries it took."""
    record(token)
    if self.request.retries < failures:
        raise Transient("the provider is busy")
    return int(self.request.retries)


@shared_task(name="probes.refused", **LIMITS)
def refused(token: str) -> None:
    record(token)
    raise Permanent("the card is declined")


@shared_task(name="probes.too_long", queue="default", soft_time_limit=1, time_limit=20)
def too_long(token: str) -> None:
    record(token)
    time.sleep(15)


@shared_task(name="probes.much_too_long", queue="default", soft_time_limit=1, time_limit=2)
def much_too_long(token: str) -> None:
    """Ignore the soft limit, so that only the hard one ends it."""
    record(token)
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            time.sleep(15)
        except SoftTimeLimitExceeded:
            logger.warning("ignored")


@shared_task(name="probes.until_free", default_retry_delay=1, **LIMITS)
def until_free(token: str, gate: str) -> int:
    """Say that it runs, and go on until the file ``gate`` is there. Returns the process id."""
    record(f"{token} {os.getpid()}")
    while not Path(gate).exists():
        time.sleep(0.05)
    return os.getpid()


@shared_task(name="probes.connection", **LIMITS)
def database_connection() -> list[int]:
    """Return the process, and the backend of its connection to PostgreSQL."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return [os.getpid(), cursor.fetchone()[0]]


@shared_task(name="probes.parent", **LIMITS)
def parent(token: str) -> str:
    """Enqueue a child on another queue. Returns its id."""
    logger.info("parent", token=token)
    return str(child.delay(token).id)


@shared_task(name="probes.child", queue="bulk", soft_time_limit=20, time_limit=30)
def child(token: str) -> None:
    logger.info("child", token=token)
