"""Lets a bare ``pytest`` run on a machine without servers: scratch ones start before Django's settings are read.

The workers of pytest-xdist inherit the environment of the controller, and with it the servers.
"""

import os
import secrets
from collections.abc import Generator
from pathlib import Path

import pytest

from proj.servers.lifetime import SERVERS, Lease


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    # A wrapper, because it runs before every plain implementation: pytest-django's reads the settings.
    names = [name for name in SERVERS if not os.environ.get(name)]
    if names:
        lease = Lease(Path(early_config.rootpath, "var", "test"), names, durable=False)
        early_config.add_cleanup(lease.leave)
        os.environ.update(lease.enter())
    os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
    # Tests that run side by side share the servers: each process has its own database (pytest-django sees to that),
    # its own keys in Redis, and its own files.
    process = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    os.environ["CELERY_KEY_PREFIX"] = f"{process}:"
    os.environ["VAR_DIR"] = str(Path(early_config.rootpath, "var", "test", process))
    return (yield)
