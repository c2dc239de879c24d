"""The project's own Celery app as the processes of these tests run it: with tasks that tell, and failpoints armed."""

from proj.celery import app
from proj.jobs import failpoints
from tests.chaos import faults, flows, tasks

__all__ = ["app", "flows", "tasks"]

failpoints.arm(faults.strike)
