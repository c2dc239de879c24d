"""The browser of the tests: Debian's Chromium. `python -m tests.browser.chromium` installs it where it may."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGE = "chromium"
HOW = f"apt-get install -y {PACKAGE}"
LOOKED_FOR = f"none of {', '.join(NAMES)} is installed"
_INSTALL = ["apt-get", "-qq", "--yes", "--no-install-recommends", "install", PACKAGE]
#: What is run, and for how many seconds at most: three minutes in all. What is downloaded (about 100 MB) may take for ever;
#: unpacking does not, and is better not cut off.
STEPS = (
    (["apt-get", "-qq", "update"], 30),
    ([*_INSTALL, "--download-only"], 90),
    ([*_INSTALL, "--no-download"], 60),
)


def find() -> Path | None:
    """Return where the browser is; None when this machine has none."""
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    return None


def install() -> str:
    """Install the browser with apt; return what kept it from being installed, "" if it is there now."""
    if os.geteuid() != 0:
        return "only root may install it"
    if shutil.which("apt-get") is None:
        return "there is no apt-get"
    for command, seconds in STEPS:
        try:
            done = subprocess.run(
                command,
                env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"{' '.join(command)} took more than {seconds} s"
        if done.returncode != 0 and "update" not in command:  # the lists that are here may do
            return f"{' '.join(command)}: {done.stdout.strip().rpartition(chr(10))[2]}"
    return "" if find() else LOOKED_FOR


def main() -> int:
    """Have the browser if possible. Never fails: tests that need it are skipped without it, and say so."""
    if find() is None:
        print("Installing Chromium for the tests in a browser (a minute or two)", flush=True)  # noqa: T201  a command speaks
        trouble = install()
        print(f"No Chromium: {trouble}" if trouble else "Chromium is installed")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
