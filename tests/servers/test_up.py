"""The whole system, really started: a dozen processes, so everything about it is asked in few starts."""

import json
import signal
import socket
import subprocess
import sys

import psycopg
import pytest
import requests

from proj.servers.environment import BASE_DIR
from proj.servers.lifetime import SERVERS
from proj.servers.records import read_records
from proj.servers.state import LOOPBACK, free_port
from tests.servers.processes import bare_environment, marked, output
from tests.waiting import eventually

pytestmark = [pytest.mark.workers, pytest.mark.timeout(300)]

NAMES = ["payments", "critical", "default", "io", "hooks", "compute", "bulk", "beat", "web"]
STARTED = "Ctrl-C stops everything."


def test_it_runs_with_logins_on_a_free_port_and_a_signal_stops_all_of_it(var_dir, run):
    taken = free_port()
    with socket.create_server((LOOPBACK, taken)):
        up = run("up", PORT=str(taken))
        eventually(lambda: STARTED in output(var_dir), seconds=120)
    said = output(var_dir)
    port = int(said.partition("The shop   http://127.0.0.1:")[2].partition("/")[0])
    assert f"Port {taken} is taken: using {port}." in said
    assert port > taken
    ready = f"http://127.0.0.1:{port}/readyz"
    # Workers that are busy may answer late.
    eventually(lambda: requests.get(ready, timeout=10).status_code == 200)
    assert [record.name for record in read_records(var_dir)] == NAMES

    passwords = json.loads((var_dir / "logins.json").read_text())
    assert sorted(passwords) == ["admin", "shopper", "staff"]
    assert all(f"password {password}" in said for password in passwords.values())
    with requests.Session() as browser:
        form = browser.get(f"http://127.0.0.1:{port}/admin/login/", timeout=10)
        login = {
            "username": "admin",
            "password": passwords["admin"],
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        }
        answer = browser.post(form.url, data=login, timeout=10, allow_redirects=False)
        assert answer.status_code == 302

    second = run("up", PORT=str(free_port()))
    assert second.wait(timeout=60) == 1
    assert f"The system is running on {var_dir} already." in output(var_dir, 1)

    doctor = run("doctor", "--json", PORT=str(port))
    assert doctor.wait(timeout=60) == 0
    assert all(finding["ok"] for finding in json.loads(output(var_dir, 2)))

    up.send_signal(signal.SIGTERM)
    assert up.wait(timeout=60) == 0
    assert output(var_dir).rstrip().endswith("Stopped.")
    assert marked(var_dir) == []
    assert read_records(var_dir) == []
    assert [server(var_dir / "servers").is_running() for server in SERVERS.values()] == [False, False]


def test_what_a_killed_one_left_behind_is_ended_by_the_next(var_dir, run):
    port = str(free_port())
    first = run("up", PORT=port)
    eventually(lambda: STARTED in output(var_dir), seconds=120)
    first.kill()
    first.wait()
    left = marked(var_dir)
    assert len(left) >= len(NAMES)

    second = run("up", PORT=port)
    eventually(lambda: STARTED in output(var_dir, 1), seconds=120)
    assert not any(process.is_running() for process in left)
    assert "servers: ended what a killed run left behind: " in output(var_dir, 1)
    assert f"http://127.0.0.1:{port}/" in output(var_dir, 1)

    second.send_signal(signal.SIGINT)
    assert second.wait(timeout=60) == 0
    assert marked(var_dir) == []


def test_a_bare_command_works_while_no_servers_run_and_leaves_none(var_dir, run):
    assert run("migrate", "--verbosity=0").wait(timeout=110) == 0
    assert run("migrate", "--check").wait(timeout=60) == 0
    assert [server(var_dir / "servers").is_running() for server in SERVERS.values()] == [False, False]


def test_the_demo_leaves_servers_that_the_environment_names_alone(var_dir, run):
    """It stops at a second demo, whose folder it must not empty, and has touched nothing by then."""
    (var_dir / "demo" / "run").mkdir(parents=True)
    (var_dir / "demo" / "kept").touch()
    hold = "import fcntl, sys, time; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); time.sleep(600)"
    lock = var_dir / "demo" / "run" / "supervisor.lock"
    with subprocess.Popen([sys.executable, "-c", hold, lock], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        demo = run("demo", DATABASE_URL="postgres://nobody@127.0.0.1:1/none")
        assert demo.wait(timeout=60) == 1
        holder.kill()
    assert output(var_dir).strip() == (
        f"{var_dir / 'demo'} is in use by another run of the same command: wait for it or stop it."
    )
    assert (var_dir / "demo" / "kept").exists()


def test_pytest_on_a_bare_machine_gets_servers_and_stops_them(var_dir):
    (var_dir / "pytest.ini").write_text("[pytest]\n")
    (var_dir / "test_it.py").write_text(
        "import os, psycopg, redis\n"
        "def test_it():\n"
        "    with psycopg.connect(os.environ['DATABASE_URL']) as connection:\n"
        "        assert connection.execute('SHOW fsync').fetchone() == ('off',)\n"
        "    with redis.Redis.from_url(os.environ['CELERY_BROKER_URL']) as client:\n"
        "        assert client.ping()\n"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "proj.servers.pytest_plugin",
            "-p",
            "no:django",
            "-n",
            "2",
            var_dir,
        ],
        cwd=var_dir,
        env=bare_environment(PYTHONPATH=str(BASE_DIR)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    test_dir = var_dir / "var" / "test" / "servers"
    assert [server(test_dir).is_running() for server in SERVERS.values()] == [False, False]


def test_the_secret_key_is_kept_so_that_sessions_outlive_a_restart(var_dir, run):
    for number in range(2):
        script = "from django.conf import settings; print('key', settings.SECRET_KEY)"
        assert run("shell", "--verbosity=0", "--command", script).wait(timeout=60) == 0, output(
            var_dir, number
        )
    keys = {output(var_dir, number).partition("key ")[2].strip() for number in range(2)}
    assert keys == {(var_dir / "servers" / "secret_key").read_text()}
    assert (var_dir / "servers" / "secret_key").stat().st_mode & 0o777 == 0o600


def test_a_url_that_the_environment_names_is_left_as_it_is(var_dir, run):
    refused = run(
        "migrate", DATABASE_URL=f"postgres://nobody@{LOOPBACK}:{free_port()}/none", SECRET_KEY="x" * 50
    )
    assert refused.wait(timeout=60) == 1
    assert "connection refused" in output(var_dir).lower()
    assert not (var_dir / "servers" / "postgres").exists()
    assert psycopg.OperationalError.__name__ in output(var_dir)
