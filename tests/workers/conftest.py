"""Workers and a beat as in production, on the test database and a part of the broker that nobody else reads."""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from celery import current_app, states
from celery.result import AsyncResult
from django.conf import settings
from django.db import connection
from django_celery_results.models import TaskResult
from redis import Redis

from proj.jobs.dispatcher import Dispatcher
from proj.queues import PURPOSES, WORKERS
from tests.sandbox import shared_sandbox
from tests.waiting import eventually
from tests.workers.processes import Process, Worker

__all__ = ["shared_sandbox"]  # a fixture is found by its name here


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.workers)
            item.add_marker(pytest.mark.django_db(transaction=True))
            # With --dist loadgroup, one process of pytest-xdist runs them all, and the workers start once.
            item.add_marker(pytest.mark.xdist_group("workers"))


@contextmanager
def broker_changed(**options: Any) -> Iterator[None]:
    """Make this process publish with other settings of Celery, over fresh connections."""
    before = {name: getattr(current_app.conf, name) for name in options}
    current_app.conf.update(options)
    current_app._after_fork()
    try:
        yield
    finally:
        current_app.conf.update(before)
        current_app._after_fork()


@contextmanager
def dispatching() -> Iterator[None]:
    """Be the dispatcher of a beat meanwhile: ring for retries, set free what a killed worker leaves behind.

    A beat of the session would go on between the tests, and ring for jobs that are none of its workers' business.
    """
    over = threading.Event()

    def tick() -> None:
        dispatcher = Dispatcher(current_app)
        while not over.wait(0.5):
            dispatcher.tick()
        connection.close()

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Shop:
    """What the processes of a test share: the database, the broker under a prefix of its own, and a folder."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.prefix = f"test-{secrets.token_hex(4)}:"
        self.redis = Redis.from_url(settings.CELERY_BROKER_URL)
        self.processes: list[Process] = []
        database = urlsplit(settings.DATABASE_URL)._replace(path=f"/{connection.settings_dict['NAME']}")
        self.environment = {
            "DATABASE_URL": urlunsplit(database),
            "CELERY_KEY_PREFIX": self.prefix,
            "VAR_DIR": str(folder),
            "LOG_FORMAT": "json",
            "EMAIL_URL": "filemail://",
            **environment,
        }

    def joined(self) -> AbstractContextManager[None]:
        """Publish from this process to the shop's part of the broker."""
        options = {**current_app.conf.broker_transport_options, "global_keyprefix": self.prefix}
        return broker_changed(broker_transport_options=options)

    def forget_messages(self) -> None:
        for key in self.redis.scan_iter(f"{self.prefix}*"):
            self.redis.delete(key)

    def close(self) -> None:
        """End all processes and leave nothing in the broker."""
        for process in self.processes:
            process.kill()
        self.forget_messages()
        self.redis.close()

    def worker(
        self,
        name: str,
        queues: str = "default",
        *,
        pool: str = "prefork",
        concurrency: int = 1,
        **options: str,
    ) -> Worker:
        worker = Worker(
            name, queues, self.folder, self.environment, pool=pool, concurrency=concurrency, **options
        )
        self.processes.append(worker)
        return worker

    def beat(self) -> Process:
        beat = Process(
            "beat",
            ["-A", "tests.workers.app", "beat", "--loglevel=INFO", "--pidfile="],
            self.folder,
            self.environment,
        )
        self.processes.append(beat)
        return beat

    def runs(self, token: str) -> list[str]:
        """Return the lines that runs of probes with this token have left."""
        runs = self.folder / "runs"
        return (
            [line for line in runs.read_text().splitlines() if line.startswith(token)]
            if runs.exists()
            else []
        )

    def unfinished(self) -> list[str]:
        """Return the keys of queues and of messages in the hands of workers: Redis drops what is empty."""
        names = (*PURPOSES, "unacked")
        keys = [key.decode().removeprefix(self.prefix) for key in self.redis.scan_iter(f"{self.prefix}*")]
        return [key for key in keys if key.startswith(names) and key != "unacked_mutex"]


@pytest.fixture(scope="session")
def running_shop(django_db_setup, tmp_path_factory, shared_sandbox) -> Iterator[Shop]:
    """A worker for each group of queues, as ``proj.queues`` describes them, and a payment provider."""
    shop = Shop(
        tmp_path_factory.mktemp("workers"), STRIPE_API_BASE=shared_sandbox.url, HOOKS_ALLOW_PRIVATE="1"
    )
    try:
        workers = [
            shop.worker(group.name, ",".join(group.queues), pool=group.pool, concurrency=group.concurrency)
            for group in WORKERS
        ]
        with shop.joined():
            for worker in workers:
                worker.wait_until_ready()
        yield shop
    finally:
        shop.close()


@pytest.fixture
def shop(running_shop, transactional_db) -> Iterator[Shop]:
    """The running shop, for one test; no message of the test outlives it."""
    with running_shop.joined(), dispatching():
        yield running_shop
    # Before the tables are emptied, or a worker would write into them. What will not end is taken away, so that one
    # failure does not become many.
    try:
        eventually(lambda: not running_shop.unfinished(), why="messages were left over")
    except AssertionError:
        running_shop.forget_messages()
        raise


@pytest.fixture
def bare_shop(transactional_db, tmp_path) -> Iterator[Shop]:
    """A shop without workers, for tests that start and kill their own."""
    shop = Shop(tmp_path)
    try:
        with shop.joined():
            yield shop
    finally:
        shop.close()


@pytest.fixture
def ended() -> Callable[[AsyncResult], TaskResult]:
    """Wait for the end of a task and return its row."""

    def ended(result: AsyncResult) -> TaskResult:
        rows = TaskResult.objects.filter(task_id=result.id, status__in=states.READY_STATES)
        return eventually(rows.first, why=f"task {result.id} has not ended")

    return ended
