"""Database connections of the workers: kept between tasks, revived when stale.

Celery's own fixup closes the connection before and after every task, which more than halves what a worker can do
(measured with one no-op task on two cores: 130 against 300 tasks a second). Django already knows how to keep a
connection: look at it where a request begins and ends, and check its health before its first query. A task is
treated here as a request is there.
"""

from typing import Any

from celery import Celery
from celery.fixups.django import DjangoFixup, DjangoWorkerFixup
from django.db import close_old_connections


class KeepingWorkerFixup(DjangoWorkerFixup):
    """Keeps connections between tasks; closes those that are broken or past ``CONN_MAX_AGE``."""

    def close_database(self, **_: Any) -> None:
        close_old_connections()


class KeepingFixup(DjangoFixup):
    """Celery's Django fixup with :class:`KeepingWorkerFixup` inside."""

    @property
    def worker_fixup(self) -> DjangoWorkerFixup:
        if self._worker_fixup is None:
            self._worker_fixup = KeepingWorkerFixup(self.app)
        return self._worker_fixup


def fixup(app: Celery) -> DjangoFixup:
    """Install the fixup on ``app``; named and called as Celery's ``fixups`` argument wants it."""
    return KeepingFixup(app).install()
