import os
import subprocess
import sys
import time

import psutil
import pytest

from proj.servers.records import MARK, OneAtATime, Record, end_leftovers, mark, read_records, write_records

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
# Starts a child in its own session, prints the child's number and ends.
LEAVE_A_CHILD = [
    sys.executable,
    "-c",
    "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid)",
]


@pytest.fixture
def start():
    started = []

    def start(argv=SLEEP, **environment: str) -> "subprocess.Popen[str]":
        started.append(
            subprocess.Popen(
                argv,
                start_new_session=True,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, **environment},
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def record_of(process: "subprocess.Popen[str]") -> Record:
    return Record("it", process.pid, psutil.Process(process.pid).create_time())


def test_what_a_killed_supervisor_left_is_ended_and_named(var_dir, start, capsys):
    (var_dir / "run").mkdir()
    process = start()
    write_records(var_dir, [record_of(process)])
    assert end_leftovers(var_dir) == ["it"]
    assert not psutil.pid_exists(process.pid)
    assert read_records(var_dir) == []
    assert capsys.readouterr().err == "servers: ended what a killed run left behind: it\n"


def test_a_process_that_got_the_number_since_is_not_touched(var_dir, start, capsys):
    (var_dir / "run").mkdir()
    process = start()
    write_records(var_dir, [Record("it", process.pid, time.time() - 3600)])
    assert end_leftovers(var_dir) == []
    assert process.poll() is None
    assert capsys.readouterr().err == ""


def test_the_child_of_a_process_that_is_gone_is_ended(var_dir, start):
    (var_dir / "run").mkdir()
    process = start(LEAVE_A_CHILD, **{MARK: mark(var_dir, "it")})
    record = record_of(process)
    child = psutil.Process(int(process.stdout.readline()))
    process.wait()
    write_records(var_dir, [record])
    assert end_leftovers(var_dir) == ["it"]
    assert not child.is_running()


def test_a_process_of_another_folder_is_not_touched(var_dir, start):
    (var_dir / "run").mkdir()
    process = start(LEAVE_A_CHILD, **{MARK: mark(var_dir / "other", "it")})
    record = record_of(process)
    child = psutil.Process(int(process.stdout.readline()))
    process.wait()
    write_records(var_dir, [record])
    assert end_leftovers(var_dir) == []
    assert child.is_running()
    child.kill()


def test_a_process_that_was_started_but_not_written_down_is_ended(var_dir, start):
    (var_dir / "run").mkdir()
    process = start(**{MARK: mark(var_dir, "it")})
    assert end_leftovers(var_dir) == ["it"]
    assert not psutil.pid_exists(process.pid)


def test_a_process_that_ignores_the_request_to_end_is_killed(var_dir, start, monkeypatch):
    monkeypatch.setattr("proj.servers.records.END_SECONDS", 0.5)
    (var_dir / "run").mkdir()
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    process = start([sys.executable, "-c", deaf])
    assert process.stdout.readline() == "deaf\n"
    write_records(var_dir, [record_of(process)])
    assert end_leftovers(var_dir) == ["it"]
    assert not psutil.pid_exists(process.pid)


def test_without_an_earlier_run_there_is_nothing_to_end(var_dir):
    (var_dir / "run").mkdir()
    assert end_leftovers(var_dir) == []


def test_one_at_a_time_may_run_processes_on_a_folder(var_dir):
    with OneAtATime(var_dir) as first, OneAtATime(var_dir) as second:
        assert (first, second) == (True, False)
    with OneAtATime(var_dir) as third:
        assert third is True
