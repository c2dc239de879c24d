"""The application without one of its guards, which GUARD_OFF names: what a test sees then is what the guard is for."""

import os
import select
import signal

from proj.live.watcher import watcher

GUARD = os.environ["GUARD_OFF"]
before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)}

from proj.wsgi import application  # noqa: E402

if GUARD == "stopping":
    for number, handler in before.items():
        signal.signal(number, handler)
elif GUARD == "going":
    del select.POLLRDHUP
elif GUARD == "bound":
    add = watcher.add
    watcher.add = lambda stream, **_bounds: add(stream, bound=1000, each=1000)
elif GUARD == "errors":
    look = watcher.look

    def look_or_die() -> None:
        try:
            look()
        except Exception as error:
            raise SystemExit from error  # which no watcher survives

    watcher.look = look_or_die

__all__ = ["application"]
