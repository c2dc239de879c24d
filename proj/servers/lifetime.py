"""Who uses the servers of a var folder, and so when they start and stop.

Every user holds a shared lock on one file for as long as it lives; the kernel lets go of it however the process
ends. The first user starts the servers. One that leaves tries for the exclusive lock: if it gets it, nobody else
is left, and it stops them. Users that were killed leave the servers running; the next user finds and later stops
them.
"""

import atexit
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from proj.servers.errors import ServerError
from proj.servers.postgres import Postgres
from proj.servers.redis import Redis
from proj.servers.state import private_folder

SERVERS: dict[str, type[Postgres] | type[Redis]] = {"DATABASE_URL": Postgres, "CELERY_BROKER_URL": Redis}


class Lease:
    """One process's use of the servers of a var folder.

    Args:
        var_dir: the folder for everything that the project writes; made if missing.
        names: the environment variables to provide, of ``SERVERS``.
        durable: False for scratch data; counts for the user that starts the servers.

    """

    def __init__(self, var_dir: Path, names: list[str], *, durable: bool = True) -> None:
        self.folder = var_dir.resolve() / "servers"
        self.names = names
        self.durable = durable
        self._users: Any = None
        self._pid = os.getpid()

    def enter(self) -> dict[str, str]:
        """Start the servers that do not run yet and return their URLs by variable name.

        Raises ServerError when one cannot be started.
        """
        try:
            private_folder(self.folder)
        except OSError as error:
            raise ServerError(
                f"Cannot use {self.folder}: {error.strerror}. It may belong to another user."
            ) from error
        try:
            with self._one_at_a_time():
                self._users = (self.folder / "users.lock").open("a")
                fcntl.flock(self._users, fcntl.LOCK_SH)
                return {name: self._running(name).url for name in self.names}
        except BaseException:
            self.leave()  # stops what was started
            raise

    def leave(self) -> None:
        """End this use; stop the servers if it was the last. Does nothing in a fork or the second time."""
        if self._users is None or os.getpid() != self._pid:
            return
        self._users.close()
        self._users = None
        self.stop_if_unused()

    def stop_if_unused(self) -> bool:
        """Stop the servers if nobody uses them, and say whether nobody did."""
        if not self.folder.exists():
            return True
        with self._one_at_a_time(), (self.folder / "users.lock").open("a") as users:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            for server_class in SERVERS.values():
                server = server_class(self.folder)
                if server.is_running():
                    server.stop()
            return True

    def _running(self, name: str) -> Postgres | Redis:
        server = SERVERS[name](self.folder, durable=self.durable)
        if not server.is_running():
            server.start()
        return server

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Keep others from starting or stopping the servers meanwhile."""
        with (self.folder / "change.lock").open("a") as change:
            fcntl.flock(change, fcntl.LOCK_EX)
            yield


def provide(var_dir: Path, *, durable: bool = True) -> dict[str, str]:
    """Start or join the servers for the URLs that the environment lacks, until this process ends.

    Returns the URLs by variable name, for ``os.environ``; nothing when both are set.
    Raises ServerError when a server cannot be started.
    """
    names = [name for name in SERVERS if not os.environ.get(name)]
    if not names:
        return {}
    lease = Lease(var_dir, names, durable=durable)
    urls = lease.enter()
    atexit.register(lease.leave)
    return urls
