import os
import signal
import sys
import threading
import time
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from proj.servers.errors import ServerError
from proj.servers.launch import System
from proj.servers.logins import ensure_logins
from proj.servers.records import OneAtATime, end_leftovers

# Seconds in which a second signal is the same Ctrl-C: make hands on the one that the terminal has sent already.
ONE_CTRL_C = 1.0


class Command(BaseCommand):
    help = "Runs the whole system on this machine, with demo users, until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000))

    def handle(self, *_args: Any, port: int, **_options: Any) -> None:
        var_dir = settings.VAR_DIR
        with OneAtATime(var_dir) as mine:
            if not mine:
                raise CommandError(
                    f"The system is running on {var_dir} already. Stop it, or set VAR_DIR to another."
                )
            end_leftovers(var_dir)
            stop, hurry = _signals()
            try:
                self._run(port, stop, hurry)
            except ServerError as error:
                raise CommandError(str(error)) from error

    def _run(self, wanted_port: int, stop: threading.Event, hurry: threading.Event) -> None:
        os.environ.setdefault(
            "DEBUG", "1"
        )  # for the processes: errors are shown, static files need no collecting
        system = System(settings.VAR_DIR, wanted_port, sys.stdout)
        if system.port != wanted_port:
            self.stdout.write(f"Port {wanted_port} is taken: using {system.port}.")
        system.prepare(self.stdout.write)
        passwords = ensure_logins(settings.VAR_DIR)
        try:
            system.start(interrupted=stop.is_set)
            if not stop.is_set():
                self._greet(system, passwords)
            system.supervisor.watch(until=stop)
        finally:
            with suppress(OSError):  # the terminal may be gone
                self.stdout.write("Stopping (Ctrl-C again: at once)")
            system.stop(hurry)
            with suppress(OSError):
                self.stdout.write("Stopped.")

    def _greet(self, system: System, passwords: dict[str, str]) -> None:
        width = max(map(len, passwords))
        lines = [
            "",
            f"The shop   {system.url}/",
            f"The admin  {system.url}/admin/",
            f"The API    {system.url}/api/docs",
            f"Mail sent  {settings.VAR_DIR / 'mail'}",
            f"Logs       {settings.VAR_DIR / 'log'}",
            "",
            *(f"Sign in as {name:{width}}  password {password}" for name, password in passwords.items()),
            "",
            "Ctrl-C stops everything.",
            "",
        ]
        self.stdout.write(self.style.SUCCESS("\n".join(lines)))


def _signals() -> tuple[threading.Event, threading.Event]:
    """Return what the first and the second Ctrl-C (or SIGTERM, or the terminal's end) set."""
    stop, hurry = threading.Event(), threading.Event()

    first = 0.0

    def heard(_signal: int, _frame: object) -> None:
        nonlocal first
        if not stop.is_set():
            first = time.monotonic()
            stop.set()
        elif time.monotonic() - first > ONE_CTRL_C:
            hurry.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, heard)
    return stop, hurry
