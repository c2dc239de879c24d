"""Tasks that show what became of them: a line in the effects file for each run, and a row for each piece of business.

Every one takes ``case``, by which the judge tells flows apart, and ``name``, unique within its case.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

from celery import shared_task
from django.db import connection, transaction

from proj.jobs.errors import Permanent, Transient
from proj.jobs.ledger.statements import run
from tests.chaos import faults
from tests.chaos.effects import Effects

LIMITS = {"queue": "default", "soft_time_limit": 20, "time_limit": 30}


def effects() -> Effects:
    return Effects(Path(os.environ[faults.FOLDER]))


def do_business(case: str, name: str) -> None:
    """Write a row once, as the state tables of an order are written: a second run finds it there."""
    with transaction.atomic():
        run(
            "INSERT INTO chaos_business (case_name, name) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [case, name],
        )
    faults.strike("committed")


@shared_task(name="chaos.effect", bind=True, **LIMITS)
def effect(self: Any, *_: Any, case: str, name: str, seconds: float = 0) -> str:
    """Do some business after a while."""
    claim = self.request.get("claim")
    with effects().run(case, name, job=self.request.id, attempt=claim.attempt if claim else 0):
        time.sleep(seconds)
        do_business(case, name)
    return name


@shared_task(name="chaos.gather", bind=True, **LIMITS)
def gather(self: Any, names: list[str], *, case: str, name: str) -> list[str]:
    """Be the body of a chord."""
    with effects().run(case, name, job=self.request.id, parts=names):
        do_business(case, name)
    return sorted(names)


@shared_task(name="chaos.flaky", bind=True, retry_backoff=False, default_retry_delay=0, **LIMITS)
def flaky(self: Any, *_: Any, case: str, name: str) -> str:
    """Fail in passing the first time."""
    with effects().run(case, name, job=self.request.id):
        if self.request.retries < 1:
            raise self.retry(exc=Transient("the provider is busy"), countdown=0)
        do_business(case, name)
    return name


@shared_task(name="chaos.refused", bind=True, **LIMITS)
def refused(self: Any, *_: Any, case: str, name: str) -> None:
    """Fail for good."""
    effects().write("start", case=case, name=name, job=self.request.id)
    raise Permanent("the card is declined")


@shared_task(name="chaos.poison", bind=True, **LIMITS)
def poison(self: Any, *, case: str, name: str, whole_worker: bool = False) -> None:
    """Take the process, or the whole worker, with it."""
    effects().write("start", case=case, name=name, job=self.request.id)
    if whole_worker:
        os.killpg(os.getpgid(0), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


@shared_task(name="chaos.overdue", bind=True, queue="default", soft_time_limit=20, time_limit=30)
def overdue(self: Any, *_: Any, case: str, name: str) -> str:
    """Stand still the first time, until somebody lets it go on."""
    first = not effects().read(kind="start", case=case, name=name)
    with effects().run(case, name, job=self.request.id):
        while first and not (Path(os.environ[faults.FOLDER]) / f"{case}.go").exists():
            time.sleep(0.05)
        do_business(case, name)
    return "first" if first else "second"


@shared_task(name="chaos.reconnecting", bind=True, **LIMITS)
def reconnecting(self: Any, *, case: str, name: str) -> str:
    """Give its database connection back before a long call to somewhere else."""
    with effects().run(case, name, job=self.request.id):
        connection.close()
        run("SELECT 1")
        time.sleep(faults.STALL_SECONDS)
        do_business(case, name)
    return name


@shared_task(name="chaos.tick", bind=True, **LIMITS)
def tick(self: Any, *, case: str) -> None:
    """Say for which slot it runs."""
    effects().write("tick", case=case, job=self.request.id, slot=self.request.slot)
