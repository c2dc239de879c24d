"""The project's own Celery app as the processes of these tests run it: with tasks that tell, and failpoints armed."""

import re
from typing import Any

from kombu.transport.redis import Transport
from kombu.transport.virtual import QoS

from proj.celery import app
from proj.jobs import failpoints
from tests.chaos import faults, flows, tasks

__all__ = ["app", "flows", "tasks"]

failpoints.arm(faults.strike)


def _case(headers: dict[str, Any]) -> str:
    found = re.search(r"'case': '([^']*)'", headers.get("kwargsrepr") or "")
    return found[1] if found else ""


def _deliver(self: Transport, message: dict[str, Any], queue: str) -> None:
    """Pass the boundary between the queue and the worker: the message is in its memory alone."""
    faults.strike("deliver", _case(message["headers"]))
    deliver(self, message, queue)


def _ack(self: QoS, delivery_tag: str) -> None:
    """Pass the boundary between the end of a job and that of its message."""
    message = self._delivered.get(delivery_tag)
    faults.strike("ack", _case(message.headers) if message else "")
    ack(self, delivery_tag)


deliver, Transport._deliver = Transport._deliver, _deliver
ack, QoS.ack = QoS.ack, _ack
