"""Ends the streams when the web server tells this process to stop: it waits for its threads, and they for news."""

import signal
import threading
from types import FrameType

from proj.live.watcher import watcher


def end_streams_on_signals() -> None:
    """Do so from now on, before whatever else is done at these signals.

    Called when the application is loaded, by which time gunicorn has set its own handlers. A server that loads it in
    another thread (runserver's autoreload) may not set any, and waits for no threads either.
    """
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            _precede(number)


def _precede(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    if not callable(before):  # the system's own way, which ends the process at once
        return

    def handle(received: int, frame: FrameType | None) -> None:
        watcher.stop()
        before(received, frame)

    signal.signal(number, handle)
