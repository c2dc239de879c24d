"""Workers tell that they are there, and hear which queues are paused: every two seconds, from and to the database.

Not through the broker: a message to the workers reaches those that are there at that moment, and tells nothing to one that
starts later. And the database is what has to hold anyway.

A thread asks, because a database that hangs must not keep a worker from its work. It opens a connection for each look and
closes it again: the children of a prefork pool inherit what is open while they are forked, and would close it for us. The
worker's own loop then does what was heard: it lets go of a queue with Celery's own ``cancel_task_queue``, and takes it up
again.

    the worker starts            the first look is before it takes anything; no answer: as if nothing were paused
    the database is away         what was heard last holds; nothing can be claimed meanwhile
    the broker comes back        Celery subscribes again to what it has not let go of
    the worker ends              it says so; one that is killed is not seen any more
"""

import logging
import os
import threading
from datetime import datetime, timedelta
from typing import Any

from celery import bootsteps
from django.db import connections

from proj.jobs.ledger.statements import LAZY, as_json, run
from proj.jobs.models import Worker
from proj.jobs.watch import Watch

logger = logging.getLogger(__name__)

#: Seconds between two looks: a person who pauses a queue sees it happen. A look takes 3 ms, most of it to connect.
EVERY = 2.0
#: Seconds between two looks of the worker's loop at what the thread has heard; they cost nothing.
_HEED = 0.25
#: Seconds after which a worker that has not told is taken for gone: several looks, one of which may have been slow.
GONE_AFTER = 10.0

#: How long a worker that is gone is remembered.
KEPT = timedelta(days=1)

#: What a beat calls its pool: it takes nothing, and rings for everything.
BEAT = "beat"

_TELL = f"""
    INSERT INTO jobs_worker (hostname, queues, takes, pool, size, pid)
    SELECT %s, %s::jsonb, %s::jsonb, %s, %s, %s FROM {LAZY}
    ON CONFLICT (hostname) DO UPDATE
       SET queues = excluded.queues, takes = excluded.takes, pool = excluded.pool, size = excluded.size,
           seen_at = clock_timestamp(), pid = excluded.pid,
           started_at = CASE WHEN jobs_worker.pid = excluded.pid THEN jobs_worker.started_at
                             ELSE clock_timestamp() END
"""  # noqa: S608  LAZY is a constant


def tell(hostname: str, *, queues: list[str], takes: list[str], pool: str, size: int) -> frozenset[str]:
    """Say that a worker is there, and what it takes; return the queues that are paused."""
    # Two statements, each about one table: in one, they would now and then be in the way of whoever locks many tables, such
    # as a TRUNCATE of all of them.
    run(_TELL, [hostname, as_json(queues), as_json(takes), pool, size, os.getpid()])
    return frozenset(row[0] for row in run("SELECT queue FROM jobs_pausedqueue"))


def leave(hostname: str) -> None:
    """Say that a worker has ended."""
    run("DELETE FROM jobs_worker WHERE hostname = %s AND pid = %s", [hostname, os.getpid()])


def purge(limit: int, now: datetime) -> int:
    """Forget workers that were killed long ago."""
    old = Worker.objects.filter(seen_at__lt=now - KEPT).values("pk")[:limit]
    deleted, _ = Worker.objects.filter(pk__in=old).delete()
    return deleted


class Attendance(bootsteps.StartStopStep):
    """The part of a worker that does this; added to its consumer in :mod:`proj.celery`."""

    requires = ("celery.worker.consumer.tasks:Tasks",)  # what is let go of has to be held

    def __init__(self, consumer: Any, **_: Any) -> None:
        self.consumer = consumer
        self.queues = sorted(consumer.app.amqp.queues.consume_from)
        self.let_go: set[str] = set()  # what we let go of: what somebody else has cancelled is theirs
        self.heard: frozenset[str] = frozenset()
        self.over = threading.Event()
        self.thread: threading.Thread | None = None
        self.timer: Any = None
        self.watch = Watch(logger, "the paused queues")
        self.look()
        for queue in self.heard & set(self.queues):
            logger.info("queue %s is paused: not taken from", queue)
            consumer.app.amqp.queues.deselect(queue)
            self.let_go.add(queue)

    def start(self, consumer: Any) -> None:
        """Called when the broker is there, each time."""
        self.timer = consumer.timer.call_repeatedly(_HEED, self.heed)
        if self.thread is None:
            self.thread = threading.Thread(target=self.listen, name="attendance", daemon=True)
            self.thread.start()

    def stop(self, consumer: Any) -> None:  # noqa: ARG002  Celery's signature
        """Called when the broker has gone, and at the end."""
        if self.timer is not None:
            self.timer.cancel()

    def shutdown(self, consumer: Any) -> None:
        """Called at the end."""
        self.stop(consumer)
        self.over.set()
        with self.watch:
            leave(consumer.hostname)

    def listen(self) -> None:
        """Look again and again, in a thread of its own."""
        while not self.over.wait(EVERY):
            self.look()

    def look(self) -> None:
        """Tell the database that we are there, and remember what it says."""
        controller = self.consumer.controller
        with self.watch:
            try:
                self.heard = tell(
                    self.consumer.hostname,
                    queues=self.queues,
                    takes=[queue for queue in self.queues if queue not in self.let_go],
                    pool=controller.pool_cls.__module__.rpartition(".")[2],
                    size=controller.concurrency or 0,
                )
            finally:
                connections.close_all()

    def heed(self) -> None:
        """Let go of what is paused now, and take up again what is not any more; in the worker's own loop."""
        wanted = self.heard & set(self.queues)
        for queue in wanted - self.let_go:
            self.let_go.add(queue)
            logger.info("queue %s is paused: let go", queue)
            self.consumer.cancel_task_queue(queue)
        for queue in self.let_go - wanted:
            logger.info("queue %s is resumed", queue)
            self.consumer.add_task_queue(queue)
            self.let_go.discard(queue)
