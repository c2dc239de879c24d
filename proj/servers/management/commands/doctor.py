import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from proj.servers.checkup import Finding, findings


class Command(BaseCommand):
    help = "Says what is missing or wrong on this machine, and how to mend it. Exits with 1 when anything is."
    requires_system_checks = ()  # they would end the command before it could say what is wrong

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *_args: Any, **options: Any) -> None:
        found = []
        for finding in findings():
            found.append(finding)
            if not options["json"]:
                self.stdout.write(self._line(finding))
        if options["json"]:
            self.stdout.write(json.dumps([finding._asdict() for finding in found], indent=2))
        if not all(finding.ok for finding in found):
            sys.exit(1)

    def _line(self, finding: Finding) -> str:
        line = f"{finding.name:10} {finding.detail}"
        if finding.ok:
            return self.style.SUCCESS("ok    ") + line
        return self.style.ERROR("wrong ") + f"{line}\n{'':17}to mend it: {finding.fix}"
