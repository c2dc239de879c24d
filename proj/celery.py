"""The Celery app: configured by the ``CELERY_`` settings, tasks found in every installed app."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proj.settings")

app = Celery(
    "proj",
    amqp="proj.jobs.amqp:OnCommitAMQP",
    task_cls="proj.jobs.task:JobTask",
    # In place of celery.fixups.django: the same, with database connections kept between tasks.
    fixups=["proj.jobs.connections:fixup"],
)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
