"""Make thumbnails anew from the uploads in quarantine, after their sizes or their quality have changed.

Exit codes: 0 all of them are made; 1 some could not be; 2 it was asked for in a way that makes no sense.
"""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from media import services
from media.models import Avatar
from media.wire import Refusal
from proj.jobs.errors import Transient


class Command(BaseCommand):
    help = "Make the thumbnails of all avatars in use anew. What there was is served until the new ones are ready."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", metavar="NAME", help="only this person's avatar")
        parser.add_argument("--dry-run", action="store_true", help="only say how many there are")
        parser.add_argument("--json", action="store_true", help="print the outcome as one JSON object")

    def handle(self, **options: Any) -> None:
        avatars = self.find_avatars(options["user"])
        outcome: dict[str, Any] = {"avatars": avatars.count(), "made": 0, "skipped": 0, "failed": []}
        if not options["dry_run"]:
            self.regenerate(avatars, outcome)
        self.stdout.write(json.dumps(outcome) if options["json"] else sentence(outcome, options["dry_run"]))
        if outcome["failed"]:
            sys.exit(1)

    def find_avatars(self, name: str | None) -> QuerySet[Avatar]:
        avatars = Avatar.objects.ready().order_by("pk")
        if name is None:
            return avatars
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is no user {name}.", returncode=2)
        return avatars.filter(owner=user)

    def regenerate(self, avatars: QuerySet[Avatar], outcome: dict[str, Any]) -> None:
        """Regenerate one after the other, and count into ``outcome`` what becomes of them."""
        shows = self.stderr.isatty()
        rows = avatars.values_list("pk", "public_id").iterator()
        for number, (avatar_id, public_id) in enumerate(rows, start=1):
            try:
                made = services.regenerate_thumbnails(avatar_id)
                outcome["made" if made else "skipped"] += 1
            except (Refusal, Transient) as error:
                outcome["failed"].append({"id": str(public_id), "error": str(error)})
            if shows:
                bar = "#" * (number * 30 // outcome["avatars"])
                self.stderr.write(f"\r[{bar:30}] {number}/{outcome['avatars']}", ending="")
        if shows:
            self.stderr.write("")


def sentence(outcome: dict[str, Any], dry_run: bool) -> str:  # noqa: FBT001
    """Return what people read of an outcome."""
    if dry_run:
        return f"{outcome['avatars']} avatars would get new thumbnails."
    lines = [f"{outcome['made']} of {outcome['avatars']} avatars have new thumbnails."]
    lines += [f"{failure['id']}: {failure['error']}" for failure in outcome["failed"]]
    return "\n".join(lines)
