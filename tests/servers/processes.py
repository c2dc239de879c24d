"""What tests ask of real processes."""

import os
from pathlib import Path

import psutil

from proj.servers.lifetime import SERVERS
from proj.servers.records import MARK, running


def output(var_dir: Path, number: int = 0) -> str:
    """What the command started as the ``number``-th has printed so far."""
    return (var_dir / f"output {number}").read_text()


def bare_environment(**more: str) -> dict[str, str]:
    """The environment of a machine where nothing is set up."""
    unset = {*SERVERS, "SECRET_KEY", "DEBUG", "PORT", "VAR_DIR", MARK}
    return {name: value for name, value in os.environ.items() if name not in unset} | more


def marked(var_dir: Path) -> list[psutil.Process]:
    """Every live process that a supervisor of ``var_dir`` started, and what these started."""
    return [process for processes in running(var_dir, []).values() for process in processes]
