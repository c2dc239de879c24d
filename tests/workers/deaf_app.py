"""The app of workers that do not hear which queues are paused: a worker of an older release, or one that has not asked yet."""

from proj.celery import app
from tests.workers import probes

app.steps["consumer"].discard("proj.jobs.attendance:Attendance")

__all__ = ["app", "probes"]
