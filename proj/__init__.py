"""Hands on the Celery app, so that ``shared_task`` finds it whoever imports the project first."""

from proj.celery import app as celery_app

__all__ = ["celery_app"]
