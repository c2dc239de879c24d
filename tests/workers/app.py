"""The project's own Celery app, with the tasks of this folder beside its own: what the workers of these tests run."""

from proj.celery import app
from tests.workers import probes

__all__ = ["app", "probes"]
