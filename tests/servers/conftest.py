import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proj.servers.environment import BASE_DIR
from proj.servers.lifetime import SERVERS, Lease
from tests.servers.processes import bare_environment, marked


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests in one process: two systems that start at once may find the same port free."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("servers"))


@pytest.fixture
def var_dir() -> Iterator[Path]:
    """A folder whose path has a space. Whatever a test leaves running on it is ended.

    Not pytest's: PostgreSQL passes through as another user when root runs the tests, and each start of pytest closes
    its folder to others again.
    """
    with tempfile.TemporaryDirectory(prefix="a folder ", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        yield folder
        for process in marked(folder):
            process.kill()
        Lease(folder, []).stop_if_unused()


@pytest.fixture
def lease(var_dir: Path) -> Iterator[Lease]:
    """A use of scratch servers; the test enters it."""
    lease = Lease(var_dir, list(SERVERS), durable=False)
    yield lease
    lease.leave()


@pytest.fixture
def run(var_dir: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start ``manage.py ARGUMENTS`` on ``var_dir``, without servers named by the environment."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
        with (var_dir / f"output {len(started)}").open("w") as said:
            process = subprocess.Popen(
                [sys.executable, "manage.py", *arguments],
                cwd=BASE_DIR,
                env=bare_environment(VAR_DIR=str(var_dir), PYTHONUNBUFFERED="1", **environment),
                stdout=said,
                stderr=subprocess.STDOUT,
                text=True,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
