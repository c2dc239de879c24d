"""System checks: what is configured so that the ledger cannot keep its promises. ``manage.py check`` says them all.

Those with the tag ``database`` ask the server, and run with ``check --database default`` and with ``migrate``.
"""

from collections.abc import Sequence
from typing import Any

from celery import current_app
from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  Django's own name
from django.db import DatabaseError, connections

from proj.jobs.backend import LedgerBackend
from proj.jobs.poolers import looks_like_pgbouncer, pooling_of
from proj.jobs.task import JobTask

Messages = list[CheckMessage]

_POOLING = (
    "A running job shows that it is alive by its database connection (pg_backend_pid). Where several clients share "
    "one, jobs are set free while they still run, or are not when their worker is gone; settings of a session leak from one "
    "client to another. Let web, workers and beat connect to PostgreSQL itself, or use pool_mode = session."
)


@register("jobs")
def check_result_backend(app_configs: Sequence[AppConfig] | None, **_: Any) -> Messages:  # noqa: ARG001
    """jobs.E001: outcomes are stored by somebody who does not tell the ledger."""
    backend = current_app.backend
    if isinstance(backend, LedgerBackend):
        return []
    return [
        Error(
            f"The result backend is {type(backend).__name__}: the outcome of a job and the end of its row are not one "
            "transaction.",
            hint='Set CELERY_RESULT_BACKEND = "proj.jobs.backend.LedgerBackend".',
            id="jobs.E001",
        )
    ]


@register("jobs")
def check_late_acknowledgement(app_configs: Sequence[AppConfig] | None, **_: Any) -> Messages:  # noqa: ARG001
    """jobs.W002: a message is gone before its job is done; the dispatcher has to ring again."""
    early = [task.name for task in _our_tasks() if task.ledger and not task.acks_late]
    if not early:
        return []
    return [
        Warning(
            f"Messages are acknowledged before their jobs are done: {_names(early)}.",
            hint="Set CELERY_TASK_ACKS_LATE = True, and acks_late = False on no task. Nothing is lost without it, but "
            "a worker that is stopped gives nothing back to the queue.",
            id="jobs.W002",
        )
    ]


@register("jobs")
def check_visibility_timeout(app_configs: Sequence[AppConfig] | None, **_: Any) -> Messages:  # noqa: ARG001
    """jobs.W003: Redis delivers messages again while their jobs still run."""
    if not str(current_app.conf.broker_url or "").startswith(("redis", "rediss", "sentinel")):
        return []
    options = current_app.conf.broker_transport_options
    if not options.get("ack_emulation", True):
        return []  # nothing is delivered again
    timeout = options.get("visibility_timeout", 3600)
    longer = [task.name for task in _our_tasks() if _time_limit(task) >= timeout]
    if not longer:
        return []
    return [
        Warning(
            f"The visibility timeout of {timeout} s is not longer than the hard time limit of: {_names(longer)}.",
            hint="The broker delivers their messages again while they run. The ledger drops the second, each time. Raise "
            'visibility_timeout in CELERY_BROKER_TRANSPORT_OPTIONS, or lower "time_limit".',
            id="jobs.W003",
        )
    ]


@register("jobs")
def check_queues(app_configs: Sequence[AppConfig] | None, **_: Any) -> Messages:  # noqa: ARG001
    """jobs.E004: a task would be sent to a queue that nobody has declared."""
    known = set(current_app.amqp.queues)
    lost = {task.name: queue for task in _our_tasks() if (queue := _queue_of(task)) not in known}
    return [
        Error(
            f"{name} goes to {queue or 'no queue'}, which is not in CELERY_TASK_QUEUES.",
            hint=f"Known are {', '.join(sorted(known))}. Name one of them in the task, or add the queue.",
            id="jobs.E004",
        )
        for name, queue in lost.items()
    ]


@register("jobs")
def check_pool(app_configs: Sequence[AppConfig] | None, **_: Any) -> Messages:  # noqa: ARG001
    """jobs.W005: nothing ends a task that hangs, in the pool that workers have unless told otherwise."""
    pool = str(current_app.conf.worker_pool)
    if pool in {"prefork", "processes"} or pool.endswith("prefork:TaskPool"):
        return []
    return [
        Warning(
            f"Workers run in the pool {pool!r}, which enforces no hard time limit.",
            hint="A task that hangs is set free after its deadline and run by another worker, while the first still hangs. "
            "Leave CELERY_WORKER_POOL out, and give --pool only to workers whose tasks have time-outs of their own.",
            id="jobs.W005",
        )
    ]


@register("jobs")
def check_pgbouncer_settings(app_configs: Sequence[AppConfig] | None, **_: Any) -> Messages:  # noqa: ARG001
    """jobs.W006: the settings look like those for a PgBouncer that pools transactions."""
    return [
        Warning(
            f"The database {alias!r} looks like a transaction-pooling PgBouncer: {why}.",
            hint=_POOLING,
            id="jobs.W006",
        )
        for alias in connections
        if (why := looks_like_pgbouncer(connections[alias].settings_dict)) is not None
    ]


@register("jobs", Tags.database)
def check_pooling(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001
    databases: Sequence[str] | None = None,
    **_: Any,
) -> Messages:
    """jobs.E007, jobs.W008: the server itself is asked whether clients share connections."""
    found: Messages = []
    for alias in databases or ():
        if connections[alias].vendor != "postgresql":
            continue
        try:
            pooling = pooling_of(alias)
        except DatabaseError:
            continue  # a database that is away says so by itself
        if pooling.is_shared:
            text = f"The database {alias!r} serves two open connections with one backend: transactions are pooled."
            found.append(Error(text, hint=_POOLING, id="jobs.E007"))
        elif pooling.is_proxied:
            text = f"There is a pooler in front of the database {alias!r}, and it was not seen to pool transactions."
            found.append(Warning(text, hint=_POOLING, id="jobs.W008"))
    return found


def _our_tasks() -> list[Any]:
    tasks = [task for _, task in sorted(current_app.tasks.items())]
    return [task for task in tasks if isinstance(task, JobTask) and not task.name.startswith("celery.")]


def _queue_of(task: Any) -> str | None:
    try:
        queue = current_app.amqp.router.route({}, task.name, (), {}, task_type=task)["queue"]
    except Exception:  # noqa: BLE001  a router that cannot place a task: whatever it raises
        return None
    return str(getattr(queue, "name", queue))


def _time_limit(task: Any) -> float:
    return float(task.time_limit or current_app.conf.task_time_limit or 0)


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")  # noqa: PLR2004
