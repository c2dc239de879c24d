import logging
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
from proj.demo.clerk import Clerk
from proj.demo.client import Customer, ShopError
from proj.demo.mischief import Mischief
from proj.demo.money import check_letters, check_money, check_refunds, check_webhooks
from proj.demo.provider import end_faults, read_books
from proj.demo.reckoning import Check, check_avatars, check_jobs, check_orders, check_stock
from proj.demo.report import Meter, print_ends, print_reckoning
from proj.demo.shoppers import Watched, ask_for_everything, watch_to_the_end
from proj.servers.errors import ServerError
from proj.servers.launch import System
from proj.servers.records import OneAtATime

SETTLE_SECONDS = 60  # the last tasks report after the order has ended; refunds may have to be asked for again
SETTLE_EVERY = 0.5
FAULTS = (
    0.02  # of the requests to the payment provider, and of its webhooks: years of bad days, in one minute
)


class Command(BaseCommand):
    help = (
        "Starts the whole system on an empty state, acts as web users over HTTP, checks the reckoning, stops."
        " Kills a worker, wipes Redis and lets the payment provider fail on the way. Exits with 0 when everything agrees, else with 1, the reason, and where the logs are."
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
        logging.disable(
            logging.INFO
        )  # what this process does for the clerk; the shop's own logs are in files
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
            mischief, clerk = Mischief(system, len(orders) + len(pictures), self._say), Clerk()

            def has_ended(watched: Watched) -> None:
                meter.advance(ended)
                mischief.one_has_ended()
                clerk.hears_of(watched)

            everything = ask_for_everything(customers, orders, pictures, lambda _: meter.advance(asked))
            left = watch_to_the_end(everything, seconds, has_ended)
        if left:
            raise ServerError(
                f"{len(left)} of {len(everything)} have not ended after {seconds} s, such as {left[0].document}"
            )
        self._say(f"mischief: the payment provider's faults: {_listed(end_faults(system.payments_url))}")
        checks = _settled(system, everything, mischief, clerk)
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


def _listed(struck: dict[str, int]) -> str:
    return ", ".join(f"{fault} {times}" for fault, times in struck.items()) or "none"


def _settled(system: System, everything: Sequence[Watched], mischief: Mischief, clerk: Clerk) -> list[Check]:
    """Reckon until it agrees, because the last tasks report a moment later, but not for ever."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        checks = _reckon(system, everything, mischief, clerk)
        if all(check.agrees for check in checks) or time.monotonic() > deadline:
            return checks
        time.sleep(SETTLE_EVERY)


def _reckon(system: System, everything: Sequence[Watched], mischief: Mischief, clerk: Clerk) -> list[Check]:
    orders = [each for each in everything if each.is_order]
    for order in orders:
        if order.document["id"] in clerk.given_back:
            order.look()
    products, books = sample.products(), read_books(system.payments_url)
    return [
        *check_orders(orders, products),
        *check_money(orders, books.charges),
        *check_refunds(clerk.given_back, books.refunds),
        *check_webhooks(books),
        *check_letters(orders, clerk.given_back),
        *check_stock(products),
        *check_avatars([each for each in everything if not each.is_order]),
        *check_jobs(),
        Check("processes that died by themselves", [], mischief.not_ours(system.supervisor.incidents)),
    ]
