import signal
import socket
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from orders.payments.sandbox.books import Books
from orders.payments.sandbox.faults import ANY, Faults, Rule
from orders.payments.sandbox.server import SandboxServer
from orders.payments.sandbox.webhooks import Endpoint


class Command(BaseCommand):
    help = "Serve a stand-in payment provider that speaks Stripe's protocol and keeps its own books on disk."
    requires_system_checks = []  # it needs neither the database nor the rest of the project

    def add_arguments(self, parser: ArgumentParser) -> None:
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument("--port", type=int, help="0 takes a free port and prints it")
        where.add_argument("--fd", type=int, help="a listening socket that was inherited, by its descriptor")
        parser.add_argument(
            "--books", type=Path, required=True, help="SQLite file; made if missing, kept after"
        )
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument(
            "--key", default=settings.STRIPE_API_KEY, help="the API key that clients must send"
        )
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

    def handle(self, *_args: Any, host: str, port: int | None, books: Path, key: str, **options: Any) -> None:
        endpoints = _endpoints(options["webhook"], options["webhook_secret"])
        if not 0 <= options["faults"] <= 1:
            raise CommandError("--faults is a share from 0 to 1.")
        rules = [Rule(ANY, chance=options["faults"])] if options["faults"] else []
        try:
            listening = (
                socket.create_server((host, port))
                if port is not None
                else socket.socket(fileno=options["fd"])
            )
            server = SandboxServer(
                listening,
                Books(books, options["settle_after"]),
                key,
                Faults(options["seed"], rules),
                endpoints,
            )
        except OSError as error:
            raise CommandError(f"Cannot listen on {host}:{port}: {error.strerror}") from error

        def stop(_signal: int, _frame: object) -> None:
            # In a thread: shutdown() waits for serve_forever(), which this handler has interrupted.
            threading.Thread(target=server.stop).start()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        self.stdout.write(f"Payment sandbox on {server.url}, books in {books}")
        self.stdout.flush()
        server.serve_forever()


def _endpoints(urls: list[str], secrets: list[str]) -> list[Endpoint]:
    if len(urls) != len(secrets):
        raise CommandError("Each --webhook needs its --webhook-secret.")
    return [Endpoint(url, tuple(both.split(","))) for url, both in zip(urls, secrets, strict=True)]
