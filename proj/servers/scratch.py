"""A folder that starts empty each time, whatever an earlier run left in it."""

import shutil
from pathlib import Path

from proj.servers.errors import ServerError
from proj.servers.lifetime import Lease
from proj.servers.records import OneAtATime, end_leftovers


def make_scratch(folder: Path) -> Path:
    """Stop what still runs on ``folder``, empty it and return it.

    Raises ServerError when somebody uses it now.
    """
    if not folder.exists():
        return folder
    with OneAtATime(folder) as mine:
        if not mine:
            raise ServerError(
                f"{folder} is in use by another run of the same command: wait for it or stop it."
            )
        end_leftovers(folder)
        if not Lease(folder, []).stop_if_unused():
            raise ServerError(f"The servers of {folder} are in use: stop the command that uses them.")
        shutil.rmtree(folder)
    return folder
