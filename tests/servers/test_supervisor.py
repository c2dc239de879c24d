import io
import os
import sys
import threading

import pytest

from proj.servers import child
from proj.servers.processes import PROVIDER, SOURCE, WORKER, Process
from proj.servers.records import read_records
from proj.servers.supervisor import Supervisor
from tests.servers.processes import marked
from tests.waiting import eventually

# Says that it is up; at SIGTERM says its name and ends.
POLITE = """
import signal, sys, time
def end(*_): print("bye from", sys.argv[1], flush=True); open(sys.argv[2], "a").write(sys.argv[1] + " "); sys.exit()
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
while True: time.sleep(0.05)
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
WITH_CHILD = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
    "print('up', flush=True); time.sleep(600)"
)


def polite(name: str, stage: int, order) -> Process:
    return Process(name, [sys.executable, "-c", POLITE, name, str(order)], {}, stage, grace=10)


def script(source: str, grace: float = 10) -> Process:
    return Process("it", [sys.executable, "-c", source], {}, WORKER, grace)


@pytest.fixture
def supervise(var_dir):
    (var_dir / "run").mkdir()
    supervisors = []

    def supervise(*processes: Process, terminal=None) -> Supervisor:
        supervisors.append(Supervisor(processes, var_dir, terminal))
        supervisors[-1].start()
        return supervisors[-1]

    yield supervise
    hurry = threading.Event()
    hurry.set()
    for supervisor in supervisors:
        supervisor.stop(hurry)


def is_up(var_dir, name: str = "it") -> bool:
    return "up\n" in (var_dir / "log" / f"{name}.log").read_text()


def test_stages_stop_in_the_opposite_order_of_their_start(var_dir, supervise):
    order = var_dir / "order"
    supervisor = supervise(
        polite("web", SOURCE, order), polite("worker", WORKER, order), polite("payments", PROVIDER, order)
    )
    assert [record.name for record in read_records(var_dir)] == ["payments", "worker", "web"]
    for name in ("web", "worker", "payments"):
        eventually(lambda name=name: is_up(var_dir, name))
    supervisor.stop()
    assert order.read_text() == "web worker payments "
    assert read_records(var_dir) == []


def test_lines_are_shown_with_the_name_of_their_process_and_kept_in_its_log(var_dir, supervise):
    terminal = io.StringIO()
    supervisor = supervise(polite("it", WORKER, var_dir / "order"), terminal=terminal)
    eventually(lambda: is_up(var_dir))
    supervisor.look()
    supervisor.stop()
    assert terminal.getvalue() == "it | up\nit | bye from it\n"
    assert (var_dir / "log" / "it.log").read_text() == "up\nbye from it\n"


def test_a_line_is_shown_once_it_is_whole(var_dir, supervise):
    terminal = io.StringIO()
    supervisor = supervise(script("import time; time.sleep(600)"), terminal=terminal)
    log = (var_dir / "log" / "it.log").open("a")
    with log:
        for text in ("hal", "f\nwhole\n"):
            log.write(text)
            log.flush()
            supervisor.look()
    assert terminal.getvalue() == "it | half\nit | whole\n"


def test_a_crashed_process_is_started_again_after_a_pause_that_grows(var_dir, supervise, monkeypatch):
    monkeypatch.setattr(child, "FIRST_PAUSE", 0.1)
    terminal = io.StringIO()
    supervisor = supervise(script("import sys; sys.exit(3)"), terminal=terminal)

    def is_back_twice() -> bool:
        supervisor.look()
        return terminal.getvalue().count("started again") >= 2

    eventually(is_back_twice)
    log = var_dir / "log" / "it.log"
    lines = terminal.getvalue().splitlines()
    assert lines[0] == f"it | ended with code 3; starting it again in 0.1 s (see {log})"
    assert lines[2] == f"it | ended with code 3; starting it again in 0.2 s (see {log})"


def test_a_killed_process_is_started_again_and_what_it_left_is_ended(var_dir, supervise, monkeypatch):
    monkeypatch.setattr(child, "FIRST_PAUSE", 0.1)
    terminal = io.StringIO()
    supervisor = supervise(script(WITH_CHILD), terminal=terminal)
    eventually(lambda: is_up(var_dir) and len(marked(var_dir)) == 2)
    leader, orphan = sorted(marked(var_dir), key=lambda process: process.create_time())
    leader.kill()

    def is_back() -> bool:
        supervisor.look()
        return "started again" in terminal.getvalue()

    eventually(is_back)
    assert "it | was killed by SIGKILL; starting it again in 0.1 s" in terminal.getvalue()
    assert not orphan.is_running()
    assert [record.pid for record in read_records(var_dir)] != [leader.pid]


def test_a_process_that_does_not_stop_within_its_grace_is_killed(var_dir, supervise):
    terminal = io.StringIO()
    supervisor = supervise(script(DEAF, grace=0.5), terminal=terminal)
    eventually(lambda: is_up(var_dir))
    supervisor.stop()
    assert "it | does not stop: killed\n" in terminal.getvalue()
    assert marked(var_dir) == []


def test_in_a_hurry_no_grace_is_given(var_dir, supervise):
    supervisor = supervise(script(DEAF, grace=600))
    eventually(lambda: is_up(var_dir))
    hurry = threading.Event()
    hurry.set()
    supervisor.stop(hurry)
    assert marked(var_dir) == []


def test_children_of_a_stopped_process_are_ended_with_it(var_dir, supervise):
    supervisor = supervise(script(WITH_CHILD))
    eventually(lambda: is_up(var_dir) and len(marked(var_dir)) == 2)
    supervisor.stop()
    assert marked(var_dir) == []


def test_a_large_log_is_put_aside_at_the_next_start(var_dir, supervise, monkeypatch):
    monkeypatch.setattr(child, "LARGEST_LOG", 10)
    log = var_dir / "log" / "it.log"
    log.parent.mkdir()
    log.write_text("from an earlier run\n")
    supervise(polite("it", WORKER, var_dir / "order"))
    eventually(lambda: log.read_text() == "up\n")
    assert (var_dir / "log" / "it.log.1").read_text() == "from an earlier run\n"


def test_every_process_is_in_a_session_of_its_own(var_dir, supervise):
    supervise(script("import time; time.sleep(600)"))
    (record,) = read_records(var_dir)
    assert os.getsid(record.pid) == record.pid
