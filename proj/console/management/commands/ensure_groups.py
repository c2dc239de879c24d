from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand
from django.db import transaction

from proj.console.groups import GROUPS


class Command(BaseCommand):
    help = (
        "Create the groups of operators where they are missing. Who is in them, and what a group that is there may do, "
        "is the admins' business: it stays as it is, unless --reset."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--reset", action="store_true", help="give the groups the permissions they are made with"
        )

    @transaction.atomic
    def handle(self, *, reset: bool, **_: Any) -> None:
        for name, codenames in GROUPS.items():
            group, created = Group.objects.get_or_create(name=name)
            if created or reset:
                group.permissions.set(permissions(codenames))
            word = "created" if created else "reset" if reset else "is there"
            self.stdout.write(f"{name}: {word}")


def permissions(names: Iterable[str]) -> list[Permission]:
    """Return permissions by their names, ``app.codename``.

    Raises:
        KeyError: there is no such permission: it is misspelt, or ``manage.py migrate`` has not been run.

    """
    known = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type")
    }
    return [known[name] for name in names]
