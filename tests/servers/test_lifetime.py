import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from proj.servers.environment import BASE_DIR
from proj.servers.lifetime import SERVERS, Lease, provide
from proj.servers.postgres import Postgres
from proj.servers.redis import Redis
from proj.servers.state import LOOPBACK, load_endpoint
from tests.servers.processes import bare_environment
from tests.waiting import eventually


def ask(urls: dict[str, str], sql: str) -> str:
    with psycopg.connect(urls["DATABASE_URL"]) as connection:
        return connection.execute(sql).fetchone()[0]


def are_running(var_dir: Path) -> list[bool]:
    return [server(var_dir / "servers").is_running() for server in SERVERS.values()]


def listening_on(pid: int) -> set[str]:
    process = psutil.Process(pid)
    return {
        connection.laddr.ip
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def test_a_first_user_starts_both_servers_and_the_last_one_stops_them(var_dir, lease):
    urls = lease.enter()
    assert sorted(urls) == ["CELERY_BROKER_URL", "DATABASE_URL"]
    assert ask(urls, "SHOW server_version").startswith("18.")
    assert redis.Redis.from_url(urls["CELERY_BROKER_URL"]).ping() is True
    lease.leave()
    assert are_running(var_dir) == [False, False]


def test_a_second_start_finds_the_data_of_the_first_at_the_same_address(var_dir, lease):
    first = lease.enter()
    with psycopg.connect(first["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    redis.Redis.from_url(first["CELERY_BROKER_URL"]).set("kept", "42")
    lease.leave()
    again = lease.enter()
    assert again == first
    assert ask(again, "SELECT answer FROM kept") == 42
    assert redis.Redis.from_url(again["CELERY_BROKER_URL"]).get("kept") == b"42"


def test_a_second_user_joins_and_only_the_last_to_leave_stops_the_servers(var_dir, lease):
    urls = lease.enter()
    other = Lease(var_dir, list(SERVERS))
    assert other.enter() == urls
    lease.leave()
    assert are_running(var_dir) == [True, True]
    other.leave()
    assert are_running(var_dir) == [False, False]


def test_servers_of_a_killed_user_are_found_by_the_next_one_who_stops_them(var_dir, lease):
    script = (
        "import sys, time, pathlib; from proj.servers.lifetime import provide;"
        "print(provide(pathlib.Path(sys.argv[1]), durable=False), flush=True); time.sleep(600)"
    )
    user = subprocess.Popen(
        [sys.executable, "-c", script, var_dir],
        cwd=BASE_DIR,
        env=bare_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with user:
        said = user.stdout.readline()
        user.send_signal(signal.SIGKILL)
    assert are_running(var_dir) == [True, True]
    assert str(lease.enter()) == said.strip()
    lease.leave()
    assert are_running(var_dir) == [False, False]


def test_a_fork_that_leaves_stops_nothing(var_dir, lease):
    lease.enter()
    child = os.fork()
    if child == 0:
        lease.leave()
        os._exit(0)
    os.waitpid(child, 0)
    assert are_running(var_dir) == [True, True]


def test_a_port_that_was_taken_meanwhile_is_left_to_its_new_owner(var_dir, lease):
    lease.enter()
    lease.leave()
    before = [load_endpoint(var_dir / "servers", name).port for name in ("postgres", "redis")]
    with socket.create_server((LOOPBACK, before[0])), socket.create_server((LOOPBACK, before[1])):
        urls = lease.enter()
        after = [load_endpoint(var_dir / "servers", name).port for name in ("postgres", "redis")]
        assert set(before).isdisjoint(after)
        assert ask(urls, "SELECT 1") == 1


def test_a_path_longer_than_a_unix_socket_may_have_is_no_obstacle(var_dir):
    deep = var_dir / "/".join(["as deep as it goes"] * 12)
    lease = Lease(deep, list(SERVERS), durable=False)
    try:
        assert ask(lease.enter(), "SELECT 1") == 1
    finally:
        lease.leave()
    assert are_running(deep) == [False, False]


def test_postgres_listens_on_the_loopback_address_only_and_asks_for_the_password(var_dir, lease):
    urls = lease.enter()
    pid = int((var_dir / "servers" / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    assert listening_on(pid) == {LOOPBACK}
    password = load_endpoint(var_dir / "servers", "postgres").password
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(urls["DATABASE_URL"].replace(password, "guessed"))


@pytest.mark.parametrize(("durable", "expected"), [(True, "on"), (False, "off")])
def test_only_scratch_data_is_written_without_waiting_for_the_disk(var_dir, durable, expected):
    lease = Lease(var_dir, ["DATABASE_URL"], durable=durable)
    try:
        urls = lease.enter()
        assert ask(urls, "SHOW fsync") == expected
        assert ask(urls, "SHOW synchronous_commit") == expected
    finally:
        lease.leave()


def test_redis_keeps_every_message_and_is_closed_to_others(var_dir, lease):
    client = redis.Redis.from_url(lease.enter()["CELERY_BROKER_URL"])
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert client.config_get("appendonly") == {"appendonly": "yes"}
    assert client.config_get("protected-mode") == {"protected-mode": "yes"}
    assert listening_on(client.info("server")["process_id"]) == {LOOPBACK}
    port = load_endpoint(var_dir / "servers", "redis").port
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(host=LOOPBACK, port=port).ping()


def test_nobody_else_can_read_the_passwords(var_dir, lease):
    lease.enter()
    folder = var_dir / "servers"
    modes = {
        name: (folder / name).stat().st_mode & 0o777 for name in ("postgres.json", "redis.json", "redis.conf")
    }
    assert modes == {"postgres.json": 0o600, "redis.json": 0o600, "redis.conf": 0o600}
    assert folder.stat().st_mode & 0o777 == 0o711
    assert (folder / "postgres").stat().st_mode & 0o777 == 0o700
    assert not (folder / "postgres.password").exists()


def test_a_data_folder_that_was_left_half_made_is_made_anew(var_dir, lease):
    draft = var_dir / "servers" / "postgres.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    assert ask(lease.enter(), "SELECT 1") == 1
    assert not draft.exists()


def test_data_of_another_version_is_refused_and_left_alone(var_dir, lease):
    data = var_dir / "servers" / "postgres"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("13\n")
    with pytest.raises(Exception, match="was made by PostgreSQL 13 and this is 18"):
        lease.enter()
    assert [file.name for file in data.iterdir()] == ["PG_VERSION"]


def test_a_postgres_that_was_killed_comes_back_with_what_was_committed(var_dir):
    lease = Lease(var_dir, ["DATABASE_URL"])
    try:
        with psycopg.connect(lease.enter()["DATABASE_URL"]) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        pid = int((var_dir / "servers" / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        psutil.Process(pid).kill()
        eventually(lambda: not Postgres(var_dir / "servers").is_running())
        other = Lease(var_dir, ["DATABASE_URL"])
        assert ask(other.enter(), "SELECT answer FROM kept") == 42
        other.leave()
    finally:
        lease.leave()


def test_only_what_the_environment_lacks_is_provided(var_dir, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://elsewhere/db")
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://elsewhere/0")
    assert provide(var_dir) == {}
    assert list(var_dir.iterdir()) == []
    assert Redis(var_dir).is_running() is False
