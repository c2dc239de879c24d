"""The options of the sandbox's command line, and the process that they ask for."""

import signal
import socket
import threading
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orders.payments.sandbox.books import Books
from orders.payments.sandbox.faults import ANY, Faults, Rule
from orders.payments.sandbox.server import SandboxServer
from orders.payments.sandbox.webhooks import Endpoint

BACKLOG = 128  # the usual 5 refuses connections when a pool of workers starts at once
HELP = "Serve a stand-in payment provider that speaks Stripe's protocol and keeps its own books on disk."


class Unusable(Exception):  # noqa: N818  what the options are
    """The process cannot be what the options ask for; the text says why."""


def add_options(parser: ArgumentParser, *, key: str) -> None:
    """Add the options; `key` is the API key that clients must send unless the options name another."""
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int, help="0 takes a free port and prints it")
    where.add_argument("--fd", type=int, help="a listening socket that was inherited, by its descriptor")
    parser.add_argument("--books", type=Path, required=True, help="SQLite file; made if missing, kept after")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--key", default=key, help="the API key that clients must send")
    parser.add_argument(
        "--webhook", action="append", default=[], metavar="URL", help="where events go; may be repeated"
    )
    parser.add_argument(
        "--webhook-secret",
        action="append",
        default=[],
        metavar="whsec_...",
        help="signs what goes to the webhook in the same place; NEW,OLD signs with both",
    )
    parser.add_argument(
        "--faults",
        type=float,
        default=0.0,
        metavar="RATE",
        help="the share of requests, and of webhooks, that a fault strikes, such as 0.05",
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed draws the same faults")
    parser.add_argument(
        "--settle-after",
        type=float,
        default=2.0,
        metavar="SECONDS",
        help="how long a payment or refund takes that settles later",
    )


def serve(options: dict[str, Any], say: Callable[[str], object]) -> None:
    """Serve until SIGTERM or SIGINT; `say` hears where, once it does.

    Raises:
        Unusable: nothing is served.

    """
    endpoints = _endpoints(options["webhook"], options["webhook_secret"])
    if not 0 <= options["faults"] <= 1:
        raise Unusable("--faults is a share from 0 to 1.")
    rules = [Rule(ANY, chance=options["faults"])] if options["faults"] else []
    listening = _listen(options["host"], options["port"], options["fd"])
    books = Books(options["books"], options["settle_after"])
    server = SandboxServer(listening, books, options["key"], Faults(options["seed"], rules), endpoints)

    def stop(_signal: int, _frame: object) -> None:
        # In a thread: shutdown() waits for serve_forever(), which this handler has interrupted.
        threading.Thread(target=server.stop).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    say(f"Payment sandbox on {server.url}, books in {options['books']}")
    server.serve_forever()


def _listen(host: str, port: int | None, descriptor: int | None) -> socket.socket:
    try:
        if port is None:
            return _adopt(descriptor)
        return socket.create_server((host, port), backlog=BACKLOG)
    except OSError as error:
        where = f"descriptor {descriptor}" if port is None else f"{host}:{port}"
        raise Unusable(f"Cannot listen on {where}: {error.strerror}") from error


def _adopt(descriptor: int | None) -> socket.socket:
    listening = socket.socket(fileno=descriptor)
    try:
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def _endpoints(urls: list[str], secrets: list[str]) -> list[Endpoint]:
    if len(urls) != len(secrets):
        raise Unusable("Each --webhook needs its --webhook-secret.")
    return [Endpoint(url, tuple(both.split(","))) for url, both in zip(urls, secrets, strict=True)]
