"""Exit codes: 0 done; 1 it was so already; 2 it was asked for in a way that makes no sense."""

import sys
from argparse import ArgumentParser
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from kombu.exceptions import OperationalError

from proj.jobs import audit, pausing
from proj.jobs.broker import Broker
from proj.jobs.console import as_json


class Command(BaseCommand):
    help = "Look at the queues, and pause or resume them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|peek|pause|resume")
        verbs.add_parser("list", help="the queues: messages in the broker, and who has paused which")
        peek = verbs.add_parser("peek", help="the next messages in the broker, without taking them")
        peek.add_argument("--limit", type=int, default=20)
        pause = verbs.add_parser("pause", help="let nothing of a queue begin, until it is resumed")
        pause.add_argument("--reason", required=True, help="why, for whoever wonders")
        resume = verbs.add_parser("resume", help="let the jobs of a queue begin again")
        resume.add_argument("--reason", default="", help="why")
        for verb in (peek, pause, resume):
            verb.add_argument("name")
        for verb in verbs.choices.values():
            verb.add_argument("--json", action="store_true", help="print JSON, an object on each line")

    def handle(self, *, verb: str, **options: Any) -> None:
        self.json: bool = options["json"]
        known = {queue.name for queue in settings.CELERY_TASK_QUEUES} | pausing.paused().keys()
        if options.get("name", next(iter(known))) not in known:
            raise CommandError(f"There are {', '.join(sorted(known))}.", returncode=2)
        try:
            getattr(self, f"handle_{verb}")(options)
        except OperationalError as error:
            raise CommandError(f"The broker does not answer: {error}") from error

    def handle_list(self, options: dict[str, Any]) -> None:  # noqa: ARG002
        names = [queue.name for queue in settings.CELERY_TASK_QUEUES]
        messages, paused = self.broker.count(names), pausing.paused()
        for name in [*names, *sorted(paused.keys() - set(names))]:
            pause = paused.get(name)
            words = (
                f"paused by {pause.by} since {pause.at:%Y-%m-%d %H:%M:%S} UTC: {pause.reason}"
                if pause
                else ""
            )
            row: dict[str, Any] = {"queue": name, "messages": messages.get(name), "paused": bool(pause)}
            row |= {"by": pause.by, "since": pause.at, "reason": pause.reason} if pause else {}
            self.print(row, f"{name:<12}{messages.get(name, 0):>8,}  {words}".rstrip())

    def handle_peek(self, options: dict[str, Any]) -> None:
        for held in self.broker.peek(options["name"], max(options["limit"], 0)):
            self.print(held._asdict(), f"{held.id}  {held.step}  {held.task}  {held.arguments}")

    def handle_pause(self, options: dict[str, Any]) -> None:
        done = pausing.pause(options["name"], by=audit.by_command(), reason=options["reason"])
        self.tell(options["name"], "paused", done=done)

    def handle_resume(self, options: dict[str, Any]) -> None:
        done = pausing.resume(options["name"], by=audit.by_command(), reason=options["reason"])
        self.tell(options["name"], "resumed", done=done)

    def tell(self, name: str, word: str, *, done: bool) -> None:
        self.print(
            {"queue": name, word: done}, f"{name} is {word}" if done else f"{name}: nothing to be done"
        )
        if not done:
            sys.exit(1)

    @property
    def broker(self) -> Broker:
        return Broker(current_app._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001

    def print(self, value: dict[str, Any], line: str) -> None:
        self.stdout.write(as_json(value) if self.json else line)
