from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from proj.api.models import Token


class Command(BaseCommand):
    help = "Prints a new API token of a user: the token alone, on stdout. It is not shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", metavar="USER")

    def handle(self, *_args: Any, username: str, **_options: Any) -> None:
        users = get_user_model()
        try:
            user = users.objects.get_by_natural_key(username)
        except users.DoesNotExist:
            raise CommandError(
                f"there is no user {username!r}; manage.py createsuperuser makes one"
            ) from None
        _, text = Token.issue(user, "create_token")
        self.stdout.write(text)
