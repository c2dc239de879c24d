"""One system under test: a database, a broker of its own, proxies in front of both, and the processes between."""

import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import redis
from django.conf import settings
from django.db import connection
from django_celery_beat.models import PeriodicTask

from proj.jobs.ledger.statements import run
from proj.servers.redis import Redis
from tests.chaos import faults, judge
from tests.chaos.effects import Effects
from tests.chaos.processes import Nursery, Process
from tests.chaos.proxy import Proxy
from tests.waiting import eventually

TABLES = """
    DROP TABLE IF EXISTS chaos_promise, chaos_business;
    CREATE TABLE chaos_promise (case_name text PRIMARY KEY, flow text NOT NULL);
    CREATE TABLE chaos_business (case_name text, name text, PRIMARY KEY (case_name, name));
"""
LEDGER = "jobs_job, jobs_chord, jobs_chordpart, django_celery_results_taskresult"


class Stage:
    """Starts the processes and knows what became of each case.

    Through ``broker`` and ``database``, the proxies, go the processes that ask for it; the others go directly.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "armed").mkdir()
        self.effects = Effects(folder)
        self.redis_server = Redis(folder, durable=False)
        self.redis_server.start()
        self.redis = redis.Redis.from_url(self.redis_server.url)
        database = urlsplit(settings.DATABASE_URL)._replace(path=f"/{connection.settings_dict['NAME']}")
        self.broker = Proxy("127.0.0.1", self.redis_server.endpoint.port)
        self.database = Proxy(database.hostname or "127.0.0.1", database.port or 5432)
        run(TABLES)
        run(f"TRUNCATE {LEDGER} CASCADE")
        self.nursery = Nursery(
            folder,
            {
                faults.FOLDER: str(folder),
                "DATABASE_URL": urlunsplit(database),
                "CELERY_BROKER_URL": self.redis_server.url,
                "CELERY_KEY_PREFIX": "",
                "VAR_DIR": str(folder),
                "EMAIL_URL": "dummymail://",
            },
        )
        self.settled_at: dict[str, float] = {}
        self.kept: list[tuple[Callable[[], Process], Process]] = []

    def close(self) -> None:
        self.nursery.close()
        self.broker.__exit__()
        self.database.__exit__()
        self.redis.close()
        self.redis_server.stop()
        run("DROP TABLE chaos_promise, chaos_business")
        run(f"TRUNCATE {LEDGER} CASCADE")

    # --- processes ---------------------------------------------------------------------------------------------------

    def worker(
        self, name: str, *, concurrency: int = 2, pool: str = "prefork", wait: bool = True, **how: Any
    ) -> Process:
        """Start a worker and wait until it takes work."""
        command = ["-A", "tests.chaos.app", "worker", "--loglevel=INFO", f"--hostname={name}@chaos", "--queues=default",
                   f"--pool={pool}", f"--concurrency={concurrency}", "--without-mingle", "--without-gossip"]  # fmt: skip
        log = self.folder / f"{name}.log"
        said = log.read_text().count(" ready.") if log.exists() else 0
        worker = self.nursery.fork(name, celery=command, **self._ways(**how))
        if wait:
            ready = lambda: log.exists() and log.read_text(errors="replace").count(" ready.") > said  # noqa: E731
            eventually(ready, seconds=60, why=f"{name} is not ready; its log is {log}")
        return worker

    def beat(self, name: str = "beat", **how: Any) -> Process:
        command = ["-A", "tests.chaos.app", "beat", "--loglevel=INFO", "--pidfile="]
        return self.nursery.fork(name, celery=command, **self._ways(**how))

    def client(self, flow: str, case: str, options: dict[str, Any] | None = None, **how: Any) -> Process:
        """Start a process that asks for one flow and ends."""
        return self.call("tests.chaos.flows:ask", {"flow": flow, "case": case, **(options or {})}, **how)

    def call(self, function: str, arguments: dict[str, Any], **how: Any) -> Process:
        """Start a process that calls ``module:function`` and ends."""
        return self.nursery.fork("client", call=function, arguments=arguments, **self._ways(**how))

    def is_disarmed(self) -> bool:
        """Whether every fault that was armed has struck."""
        return not any((self.folder / "armed").iterdir())

    def keep(self, start: Callable[[], Process]) -> None:
        """Start a process, and another one in its place whenever it is found to have ended: a supervisor's work."""
        self.kept.append((start, start()))

    def revive(self) -> None:
        """Start again what is to be kept running."""
        self.kept = [(start, process if process.is_running() else start()) for start, process in self.kept]

    def end_processes(self) -> None:
        """End every process, kept or not."""
        self.kept.clear()
        self.nursery.end_all()

    def clear(self) -> None:
        """End every process and forget everything: the stage is as new."""
        self.end_processes()
        self.broker.heal()
        self.database.heal()
        self.redis.flushall()
        for armed in (self.folder / "armed").iterdir():
            armed.unlink()
        self.settled_at.clear()
        self.effects.path.unlink(missing_ok=True)
        PeriodicTask.objects.all().delete()
        run(f"TRUNCATE chaos_promise, chaos_business, {LEDGER} CASCADE")

    def _ways(self, *, through: Iterable[str] = (), **how: Any) -> dict[str, Any]:
        """Lead a process through the proxies named: ``broker``, ``database``."""
        if "broker" in through:
            url = self.redis_server.url.replace(str(self.redis_server.endpoint.port), str(self.broker.port))
            how["environment"] = {"CELERY_BROKER_URL": url}
        if "database" in through:
            how["database"] = {"HOST": "127.0.0.1", "PORT": self.database.port}
        return how

    @staticmethod
    def kill_child(pid: int) -> None:
        """Kill one process of a pool, if it is still there."""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    # --- what became of it -------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Note which of the promised cases are done with by now."""
        waiting = judge.open_cases()
        for (case,) in run("SELECT case_name FROM chaos_promise"):
            if waiting[case]:
                self.settled_at.pop(case, None)
            else:
                self.settled_at.setdefault(case, time.monotonic())

    def settle(self, seconds: float = 60, *, until: Callable[[], bool] = lambda: True) -> bool:
        """Wait until nothing is owed any more; whether it came to that in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.look()
            self.revive()
            if until() and not judge.open_cases():
                self.look()  # what was open a moment ago
                return True
            time.sleep(0.1)
        return False

    def verdict(self, case: str, *, since: float | None = None, may_die: bool = False) -> judge.Verdict:
        """Judge a case; ``since`` is when it was harmed (default: when its fault struck)."""
        verdict = judge.judge(self.effects, case, may_die=may_die)
        struck = [line["at"] for line in self.effects.read(kind="fault", case=case)]
        began = since if since is not None else min(struck, default=None)
        if began is not None and case in self.settled_at:
            verdict.recovered = max(0.0, self.settled_at[case] - began)
        return verdict
