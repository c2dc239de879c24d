import signal
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from orders.payments.sandbox.server import SandboxServer


class Command(BaseCommand):
    help = "Serve a stand-in payment provider that speaks Stripe's protocol and keeps its own books on disk."
    requires_system_checks = []  # it needs neither the database nor the rest of the project

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, required=True, help="0 takes a free port and prints it")
        parser.add_argument(
            "--books", type=Path, required=True, help="SQLite file; made if missing, kept after"
        )
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument(
            "--key", default=settings.STRIPE_API_KEY, help="the API key that clients must send"
        )

    def handle(self, *_args: Any, host: str, port: int, books: Path, key: str, **_options: Any) -> None:
        try:
            server = SandboxServer(host, port, books, key)
        except OSError as error:
            raise CommandError(f"Cannot listen on {host}:{port}: {error.strerror}") from error

        def stop(_signal: int, _frame: object) -> None:
            # In a thread: shutdown() waits for serve_forever(), which this handler has interrupted.
            threading.Thread(target=server.stop).start()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        self.stdout.write(f"Payment sandbox on http://{host}:{server.server_port}, books in {books}")
        self.stdout.flush()
        server.serve_forever(poll_interval=0.1)
