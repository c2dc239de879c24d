"""Forks processes of the system from one that has everything imported: 0.3 s instead of 3 s for each.

Reads one order a line from its standard input, and answers each with the number of the process. When the input ends, so
do all of them.
"""

import gc
import importlib
import json
import os
import signal
import sys
from contextlib import suppress
from typing import Any

import django


def become(order: dict[str, Any]) -> None:
    """Turn this fresh fork into what was ordered, until it ends."""
    from celery import current_app  # noqa: PLC0415
    from celery.bin.celery import main as celery  # noqa: PLC0415
    from django.db import connections  # noqa: PLC0415

    from tests.chaos import guards  # noqa: PLC0415

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()  # a group of its own: killing it takes its children along
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.update(order["environment"])
    connections.databases["default"].update(order["database"])
    current_app.conf.broker_transport_options |= order["transport"]
    for name in order["unknown"]:
        del current_app.tasks[name]
    for guard in order["guards_off"]:
        guards.switch_off(guard)
    if "celery" in order:
        sys.argv = ["celery", *order["celery"]]
        celery()
    else:
        module, _, function = order["call"].partition(":")
        getattr(importlib.import_module(module), function)(**order["arguments"])


def main() -> None:
    django.setup()
    for name in ("celery.apps.worker", "celery.apps.beat", "celery.concurrency.prefork", "celery.bin.celery",
                 "celery.concurrency.thread", "celery.worker.consumer", "celery.worker.components",
                 "kombu.transport.redis", "proj.jobs.scheduler", "tests.chaos.app", "tests.chaos.guards", *sys.argv[1:]):  # fmt: skip
        importlib.import_module(name)
    gc.freeze()  # what is here already is shared with every fork
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries them
    children = []
    for line in iter(sys.stdin.readline, ""):
        child = os.fork()
        if child == 0:
            become(json.loads(line))
            sys.stdout.flush()
            os._exit(0)
        children.append(child)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
    for child in children:
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)


if __name__ == "__main__":
    main()
