from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from orders.payments.sandbox.options import HELP, Unusable, add_options, serve


class Command(BaseCommand):
    help = HELP
    requires_system_checks = []  # it needs neither the database nor the rest of the project

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_options(parser, key=settings.STRIPE_API_KEY)

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            serve(options, self._say)
        except Unusable as unusable:
            raise CommandError(str(unusable)) from unusable

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
