"""The queues, what each is for, who works on them, and how a message finds its queue."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kombu import Queue

# What each queue is for. A task names its queue where it is defined; a queue keeps one kind of work from waiting
# behind another, because its workers take nothing else.
PURPOSES: Mapping[str, str] = {
    "critical": "express and valuable orders: never behind anything else",
    "default": "short steps that live in the database",
    "io": "calls to the outside: the payment provider, mail",
    "hooks": "webhooks to other people's addresses, which may be slow or dead",
    "compute": "images: one core each",
    "bulk": "reports, imports, clean-up: long, and never in a hurry",
}
DEFAULT = "default"
QUEUES = [Queue(name) for name in PURPOSES]

# On Redis 0 is the most urgent and 9 the least, and kombu keeps one list per step of priority: 0, 3, 6, 9.
URGENT, NORMAL, PATIENT = 0, 5, 9


class WorkerGroup(NamedTuple):
    """One worker service: the queues it consumes, with the pool and the concurrency that suit them.

    ``threads`` where tasks wait for somebody else, ``prefork`` where they need the processor or may be killed
    by a hard time limit, which only that pool enforces.
    """

    name: str
    queues: tuple[str, ...]
    pool: str
    concurrency: int


WORKERS: Sequence[WorkerGroup] = (
    WorkerGroup("critical", ("critical",), "prefork", 1),
    WorkerGroup("default", ("default",), "prefork", 2),
    WorkerGroup("io", ("io",), "threads", 8),
    WorkerGroup("hooks", ("hooks",), "threads", 8),
    WorkerGroup("compute", ("compute",), "prefork", 2),
    WorkerGroup("bulk", ("bulk",), "prefork", 1),
)


def route_by_content(
    name: str,
    args: Sequence[Any],  # noqa: ARG001  Celery's signature for a router
    kwargs: Mapping[str, Any],  # noqa: ARG001
    options: Mapping[str, Any],
    task: Any = None,  # noqa: ARG001
    **_: Any,
) -> dict[str, str] | None:
    """Send the steps of an urgent order to ``critical``, whatever queue the step would have used.

    What makes an order urgent (express, or worth much) is read from the order once, when its pipeline is built,
    and travels as the message's priority, which chains and retries inherit: no router needs a query.
    """
    priority = options.get("priority")
    if name.startswith("orders.") and priority is not None and priority <= URGENT:
        return {"queue": "critical"}
    return None


def route_by_task(
    name: str,
    args: Sequence[Any],  # noqa: ARG001
    kwargs: Mapping[str, Any],  # noqa: ARG001
    options: Mapping[str, Any],  # noqa: ARG001
    task: Any = None,
    **_: Any,
) -> dict[str, str]:
    """Send a task to the queue that its definition names; a library's own tasks are housekeeping."""
    home = getattr(task, "home_queue", None)
    if home is None:
        home = "bulk" if name.startswith("celery.") else DEFAULT
    return {"queue": home}
