import os
import signal
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from proj.api.models import Token
from proj.demo import sample
from proj.demo.client import Customer, ShopError
from proj.demo.mischief import Mischief
from proj.demo.provider import captured_charges
from proj.demo.reckoning import Check, check_avatars, check_jobs, check_money, check_orders, check_stock
from proj.demo.report import Meter, print_ends, print_reckoning
from proj.demo.shoppers import Watched, ask_for_everything, watch_to_the_end
from proj.servers.errors import ServerError
from proj.servers.launch import System
from proj.servers.records import OneAtATime

SETTLE_SECONDS = 20  # the last tasks report a moment after the order has ended
SETTLE_EVERY = 0.5
FAULTS = (
    0.02  # of requests to the payment provider, and of its webhooks: drawn by seed, so the same each time
)


class Command(BaseCommand):
    help = (
        "Starts the whole system on an empty state, acts as web users over HTTP, checks the reckoning, stops."
        " Kills a worker and wipes Redis on the way. Exits with 0 when everything agrees, else with 1, the reason, and where the logs are."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000))
        parser.add_argument(
            "--orders", type=int, default=320, help="how many, at most as many as the sample has"
        )
        parser.add_argument(
            "--seconds", type=int, default=180, help="how long to wait for the last one to end"
        )

    def handle(self, *_args: Any, port: int, orders: int, seconds: int, **_options: Any) -> None:
        self.console = Console()
        logs = settings.VAR_DIR / "log"
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(
                number, signal.default_int_handler
            )  # they end it as Ctrl-C does: with everything stopped
        with OneAtATime(settings.VAR_DIR) as mine:
            if not mine:
                raise CommandError(f"Another demo is running on {settings.VAR_DIR}.")
            try:
                with self._running(port) as system:
                    wrong = self._act(system, orders, seconds)
            except (ServerError, ShopError, OSError) as error:
                raise CommandError(f"{error}\nLogs: {logs}") from error
            except KeyboardInterrupt as interrupt:
                raise CommandError("Interrupted: everything is stopped.", returncode=130) from interrupt
        if wrong:
            names = "; ".join(check.name for check in wrong)
            raise CommandError(f"It does not add up: {names}\nLogs: {logs}")
        self.console.print(f"[bold green]Everything adds up.[/] Logs: {logs}", soft_wrap=True)

    @contextmanager
    def _running(self, wanted_port: int) -> Iterator[System]:
        begun = time.monotonic()
        system = System(settings.VAR_DIR, wanted_port, faults=FAULTS)
        if system.port != wanted_port:
            self.console.print(f"Port {wanted_port} is taken: using {system.port}.")
        system.prepare(self._say)
        over = threading.Event()
        watcher = threading.Thread(target=system.supervisor.watch, args=(over,))
        try:
            system.start(interrupted=lambda: False)
            self._say(f"ready after {time.monotonic() - begun:.1f} s: {system.url}")
            watcher.start()
            yield system
        finally:
            over.set()
            if watcher.is_alive():
                watcher.join()
            system.stop()
            self._say("stopped")

    def _act(self, system: System, number: int, seconds: int) -> list[Check]:
        """Be the web users, then print what happened; return the checks that do not agree."""
        orders, pictures = sample.orders(number), sample.pictures()
        with Meter(self.console) as meter:
            asked, ended = (
                meter.add("asked for", len(orders) + len(pictures)),
                meter.add("ended", len(orders) + len(pictures)),
            )
            customers = _customers(system.url, len(pictures))
            mischief = Mischief(system, len(orders) + len(pictures), self._say)

            def has_ended(_: Watched) -> None:
                meter.advance(ended)
                mischief.one_has_ended()

            everything = ask_for_everything(customers, orders, pictures, lambda _: meter.advance(asked))
            left = watch_to_the_end(everything, seconds, has_ended)
        if left:
            raise ServerError(
                f"{len(left)} of {len(everything)} have not ended after {seconds} s, such as {left[0].document}"
            )
        checks = _settled(system, everything, mischief)
        print_ends(
            self.console,
            [each for each in everything if each.is_order],
            [each for each in everything if not each.is_order],
        )
        print_reckoning(self.console, checks)
        return [check for check in checks if not check.agrees]

    def _say(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True)


def _customers(url: str, number: int) -> list[Customer]:
    users = get_user_model()
    people = [
        users.objects.create_user(name, email=f"{name}@example.com")
        for name in (f"customer{place:02}" for place in range(1, number + 1))
    ]
    return [Customer(url, Token.issue(person)[1]) for person in people]


def _settled(system: System, everything: Sequence[Watched], mischief: Mischief) -> list[Check]:
    """Reckon until it agrees, because the last tasks report a moment later, but not for ever."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        checks = _reckon(system, everything, mischief)
        if all(check.agrees for check in checks) or time.monotonic() > deadline:
            return checks
        time.sleep(SETTLE_EVERY)


def _reckon(system: System, everything: Sequence[Watched], mischief: Mischief) -> list[Check]:
    orders = [each for each in everything if each.is_order]
    products = sample.products()
    return [
        *check_orders(orders, products),
        *check_money(orders, captured_charges(system.payments_url)),
        *check_stock(products),
        *check_avatars([each for each in everything if not each.is_order]),
        *check_jobs(),
        Check("processes that died by themselves", [], mischief.not_ours(system.supervisor.incidents)),
    ]
