"""What is remembered about the servers of one var folder: their ports and passwords."""

import json
import os
import secrets
import socket
from pathlib import Path
from typing import NamedTuple

from proj.servers.errors import ServerError

LOOPBACK = "127.0.0.1"
BACKLOG = 2048  # connections that wait to be accepted, while a process starts again too; as many as gunicorn's default


class Endpoint(NamedTuple):
    """Where a server listens, on the loopback address, and the password it asks for."""

    port: int
    password: str

    def moved(self) -> "Endpoint":
        """Return the same server on another port that is free at the moment."""
        return self._replace(port=free_port())


def free_port() -> int:
    """Return a TCP port of the loopback address that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Say whether a server could listen on ``port`` of ``host`` now."""
    with socket.socket() as caller:
        caller.settimeout(1)
        if caller.connect_ex((host, port)) == 0:  # macOS lets one bind beside a server of all addresses
            return False
    with socket.socket() as probe:
        # As servers do: a connection that somebody closed a minute ago does not make the port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def listen(wanted: int) -> socket.socket:
    """Listen on port ``wanted`` of the loopback address, or on the first above it that is free; 0 is any.

    The socket is for a process to inherit: from now on nobody else can have the port, and what answers on it is ours.
    Raises ServerError when no port is free.
    """
    for port in range(wanted, 65536):
        if wanted and not is_free(port):
            continue
        try:
            return socket.create_server((LOOPBACK, port), backlog=BACKLOG)
        except OSError:  # taken in the moment between
            continue
    raise ServerError(f"No port from {wanted} on is free.")


def private_folder(path: Path) -> Path:
    """Make ``path`` and return it: others may pass through (PostgreSQL's own user must), not look inside."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o711)
    return path


def write_private(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` whole or not at all, readable by its owner only."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def load_endpoint(folder: Path, server: str) -> Endpoint:
    """Return the endpoint of ``server`` ("postgres", "redis") kept in ``folder``; a new one the first time."""
    try:
        return Endpoint(**json.loads(_file(folder, server).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Endpoint(port=free_port(), password=secrets.token_hex(16))


def save_endpoint(folder: Path, server: str, endpoint: Endpoint) -> None:
    """Keep ``endpoint`` of ``server`` in ``folder`` for the next start and for other users of the server."""
    write_private(_file(folder, server), json.dumps(endpoint._asdict()))


def _file(folder: Path, server: str) -> Path:
    return folder / f"{server}.json"
