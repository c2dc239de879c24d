"""PostgreSQL refuses to run as root, so root runs it as a system user that owns the data and nothing else."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from proj.servers.errors import ServerError

NAME = "pgserver"
OTHERS_PASS = stat.S_IXOTH
OTHERS_READ = stat.S_IROTH


def server_account() -> pwd.struct_passwd | None:
    """Return the user that PostgreSQL runs as: None for the one we are, the system user (made if missing) for root.

    Raises ServerError when root cannot make that user.
    """
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        pass
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd is None:
        raise ServerError(
            "PostgreSQL does not run as root, and there is no useradd to make a user for it:"
            f" make a system user named {NAME}, or run this as an ordinary user."
        )
    made = subprocess.run(
        [useradd, "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise ServerError(
            f"PostgreSQL does not run as root, and useradd {NAME} failed: {made.stderr.strip()}"
        )
    say(f"made the system user {NAME}: PostgreSQL does not run as root")
    return pwd.getpwnam(NAME)


def open_way(path: Path) -> None:
    """Let the system user reach ``path``: add the traverse bit to the folders above it that lack one, and say so."""
    closed = [folder for folder in path.resolve().parents if not folder.stat().st_mode & OTHERS_PASS]
    for folder in closed:
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | OTHERS_PASS)
    if closed:
        names = " ".join(f"'{folder}'" for folder in reversed(closed))
        say(f"chmod o+x {names}: PostgreSQL runs as {NAME} and must pass through")


def open_programs(root: Path) -> None:
    """Let the system user run the programs under ``root`` and read what they load.

    An installation under umask 077 leaves them to root alone. That the folder itself can be read is the sign that
    all of it can: it is opened last.
    """
    if root.stat().st_mode & OTHERS_READ:
        return
    for folder, _, files in os.walk(root, topdown=False):
        for file in (Path(folder, name) for name in files):
            _open_one(file)
        _open_one(Path(folder))
    say(f"chmod -R o+rX '{root}': PostgreSQL runs as {NAME}")


def _open_one(path: Path) -> None:
    if path.is_symlink():
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    path.chmod(mode | OTHERS_READ | (OTHERS_PASS if mode & stat.S_IXUSR else 0))


def say(message: str) -> None:
    """Tell the person at the terminal; standard output stays for what a command was asked for."""
    print(f"servers: {message}", file=sys.stderr)  # noqa: T201
