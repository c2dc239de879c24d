#!/usr/bin/env python
"""Django's command-line utility."""

import os
import sys

from proj.servers.environment import fill_environment
from proj.servers.errors import ServerError


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proj.settings")
    try:
        fill_environment(sys.argv)
    except ServerError as error:
        sys.exit(str(error))

    from django.core.management import execute_from_command_line  # noqa: PLC0415  after the environment is set

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
