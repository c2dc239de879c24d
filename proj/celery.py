"""The Celery app: configured by the ``CELERY_`` settings, tasks found in every installed app."""

import os
from typing import Any

from celery import Celery
from django_structlog.celery.steps import DjangoStructLogInitStep
from kombu import Connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proj.settings")

# Seconds that one try to publish may wait for a broker that accepts connections and never answers. A publish is tried
# twice, because an idle connection may have gone stale: a web request pays about a second and a half, and only then.
PUBLISH_TIMEOUT = 0.7


class ShopCelery(Celery):
    """Celery whose publishing gives up sooner than its consuming, and records together what is sent together."""

    def connection_for_write(self, url: str | None = None, **options: Any) -> Connection:
        patience = {"socket_timeout": PUBLISH_TIMEOUT, "socket_connect_timeout": PUBLISH_TIMEOUT}
        options["transport_options"] = {**patience, **(options.get("transport_options") or {})}
        connection: Connection = super().connection_for_write(url, **options)
        return connection

    def producer_or_acquire(self, producer: Any = None) -> Any:
        """Return a context with a producer; that of :meth:`LedgerAMQP.gathering`, unless the caller has one already."""
        acquired = super().producer_or_acquire(producer)
        amqp: Any = self.amqp
        return acquired if producer is not None else amqp.gathering(acquired)


app = ShopCelery(
    "proj",
    amqp="proj.jobs.amqp:LedgerAMQP",
    task_cls="proj.jobs.task:JobTask",
    control="proj.jobs.control:LedgerControl",
    # In place of celery.fixups.django: the same, with database connections kept between tasks.
    fixups=["proj.jobs.connections:fixup"],
)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# Binds a task's id, its parent's and the request's to every log line of the worker that runs it.
app.steps["worker"].add(DjangoStructLogInitStep)
# Tells the database that the worker is there, and keeps it from taking what is paused. By name: it needs the models.
app.steps["consumer"].add("proj.jobs.attendance:Attendance")
