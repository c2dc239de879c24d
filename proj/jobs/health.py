"""Is the process alive, and can the system do its work? Two questions, two addresses."""

import time
from collections.abc import Callable

from celery import current_app
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from proj.jobs.pausing import paused

# Asking every worker what it consumes costs a broadcast and a wait; a probe each second need not repeat it.
ASK_EVERY = 5.0
# How long workers have to answer. Those of one machine do in a few milliseconds.
ANSWER_WITHIN = 1.0
# A worker that is busy may miss one answer, or two; it has not gone.
BELIEVED_FOR = 15.0


class Consumers:
    """Which queues have a worker, as the workers say."""

    def __init__(self) -> None:
        self._asked = -ASK_EVERY
        self._heard: dict[str, float] = {}  # when each queue was last said to be consumed

    def queues(self) -> set[str]:
        """Return the names of the queues that a worker consumes."""
        now = time.monotonic()
        if now - self._asked >= ASK_EVERY:
            self._asked = now
            answers = current_app.control.inspect(timeout=ANSWER_WITHIN).active_queues() or {}
            self._heard |= {queue["name"]: now for queues in answers.values() for queue in queues}
        return {name for name, heard in self._heard.items() if now - heard < BELIEVED_FOR}


consumers = Consumers()


@never_cache
@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """The process answers. Asks nobody else: a database that is away is no reason to restart the web server."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """200 when the database, the broker and a consumer for every queue are there; else 503 and what is missing."""
    report = {name: _verdict(check) for name, check in CHECKS.items()}
    ready = all(verdict == "ok" for verdict in report.values())
    return JsonResponse({"ready": ready, "checks": report}, status=200 if ready else 503)


def check_database() -> None:
    """Raise when the database does not answer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def check_broker() -> None:
    """Raise when the broker does not take a connection."""
    with current_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, timeout=1)


def check_consumers() -> None:
    """Raise LookupError when a queue has no worker, unless it is paused: then nobody takes anything from it, as asked.

    Raises:
        LookupError: names the queues that nobody consumes.
    """
    missing = {queue.name for queue in settings.CELERY_TASK_QUEUES} - consumers.queues()
    if missing and (missing := missing - paused().keys()):
        raise LookupError(f"no worker consumes {', '.join(sorted(missing))}")


CHECKS: dict[str, Callable[[], None]] = {
    "database": check_database,
    "broker": check_broker,
    "consumers": check_consumers,
}


def _verdict(check: Callable[[], None]) -> str:
    try:
        check()
    except LookupError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001  whatever is wrong with it, it is not ready
        # The kind only: a probe is public, and messages of drivers name hosts.
        return type(error).__name__
    return "ok"
