"""What the processes of these tests do: a worker that runs whatever is due and ends, and the web server."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from celery import current_app
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import transaction
from requests.adapters import HTTPAdapter

from orders import locks, services
from orders.errors import NothingToRefund
from orders.models import Order
from orders.payments import stripe_client
from orders.payments.refunds import request_refund
from proj.jobs.testing import drain, without_broker
from tests.chaos import faults
from tests.chaos.effects import Effects
from tests.orders.payments.faults import guards

current_app.loader.import_default_modules()  # before the fork: every worker has its tasks at once


def work(base: str, read_timeout: float, queue: str | None = None, tasks: Sequence[str] = ()) -> None:
    """Enqueue ``tasks``, then run what is due.

    Args:
        base: where the provider is.
        read_timeout: seconds that we wait for its answers.
        queue: only the jobs of this queue.
        tasks: names of tasks, as beat would send them.

    """
    _connect(base, read_timeout)
    with without_broker():
        for name in tasks:
            current_app.send_task(name)
    drain(queue=queue)


def _connect(base: str, read_timeout: float) -> None:
    """Let this process ask the provider at ``base``, and leave a line in the effects for each request."""
    settings.STRIPE_API_BASE = base
    stripe_client.READ_TIMEOUT = read_timeout
    effects, send = Effects(Path(os.environ[faults.FOLDER])), HTTPAdapter.send

    def note_and_send(self: HTTPAdapter, request: Any, *args: Any, **options: Any) -> Any:
        effects.write("asked", method=request.method, path=request.path_url.partition("?")[0])
        return send(self, request, *args, **options)

    HTTPAdapter.send = note_and_send  # type: ignore[method-assign]


def cancel(base: str) -> None:
    """Be the customer who cancels the only order that there is."""
    settings.STRIPE_API_BASE = base
    with without_broker():
        services.cancel_order(Order.objects.get().pk, actor="ann", reason="Ordered by mistake.")


def ask_for_all_back(base: str, order_id: int) -> None:
    """Be somebody of the staff who gives all the money of an order back."""
    settings.STRIPE_API_BASE = base
    with without_broker(), transaction.atomic():
        order = locks.lock_order(order_id)
        time.sleep(guards.GAP)  # the other one, too, is to find the order as it is now
        with suppress(NothingToRefund):
            request_refund(order, reason="It came too late.", actor="boss")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def serve(port: int, base: str) -> None:
    """Be the web server on ``port``, until killed."""
    settings.STRIPE_API_BASE = base
    with without_broker():
        make_server("127.0.0.1", port, get_wsgi_application(), _Server, _Quiet).serve_forever()
