"""A beat that is killed at a failpoint: ``python -m tests.jobs.dying_beat slot``. Ends with 0 if it gets by."""

import os
import signal
import sys

from proj.celery import app
from proj.jobs import failpoints


def die(name: str) -> None:
    if name == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    app.loader.import_default_modules()
    failpoints.arm(die)
    app.Beat().Service(app=app, scheduler_cls=app.conf.beat_scheduler).scheduler.tick()
