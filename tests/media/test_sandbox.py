import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random

import psutil
import pytest

from media import sandbox as module
from media.sandbox import DecoderLostError, Sandbox
from media.wire import Refusal
from tests.media.pictures import encode, plain, quarters

ROOT = Path(module.__file__).resolve().parents[1]


def until(condition, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        threading.Event().wait(0.01)
    return False


def server(sandbox: Sandbox) -> psutil.Process:
    """Return the decoder's process, started by a first picture."""
    sandbox.make_thumbnails(plain())
    return psutil.Process(sandbox._process.pid)


def test_one_decoder_serves_many_pictures(own_sandbox):
    first = server(own_sandbox)
    decoded = own_sandbox.make_thumbnails(plain())
    assert server(own_sandbox).pid == first.pid
    assert [each.size for each in decoded.thumbnails] == [512, 256, 128, 64, 32, 128]
    assert 0 < decoded.cost.cpu_seconds < 5
    assert decoded.cost.peak_bytes > 1_000_000


def test_a_refusal_crosses_the_processes(own_sandbox):
    with pytest.raises(Refusal) as refusal:
        own_sandbox.make_thumbnails(b"hello")
    assert refusal.value.code == "not_an_image"
    assert refusal.value.detail == "This is not a JPEG, PNG, WebP, GIF or AVIF picture."


def test_a_stopped_decoder_costs_one_refusal_and_the_next_picture_is_decoded(own_sandbox):
    stopped = server(own_sandbox)
    stopped.suspend()
    begin = time.monotonic()
    with pytest.raises(Refusal) as refusal:
        own_sandbox.make_thumbnails(plain())
    assert refusal.value.code == "too_costly"
    assert 3 <= time.monotonic() - begin < 6
    assert not stopped.is_running()
    assert len(own_sandbox.make_thumbnails(plain()).thumbnails) == 6


def test_a_decoder_that_was_killed_is_started_again_and_the_picture_is_not_lost(own_sandbox):
    killed = server(own_sandbox)
    killed.kill()
    assert len(own_sandbox.make_thumbnails(plain()).thumbnails) == 6
    assert server(own_sandbox).pid != killed.pid


def test_a_decoder_that_cannot_start_is_not_the_pictures_fault(own_sandbox, monkeypatch):
    monkeypatch.setattr(module, "_environment", lambda: {"PYTHONPATH": "/nowhere"})
    with pytest.raises(DecoderLostError):
        own_sandbox.make_thumbnails(plain())


def test_the_decoder_knows_neither_django_nor_secrets(own_sandbox, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "do-not-tell")
    process = server(own_sandbox)
    assert "SECRET_KEY" not in process.environ()
    assert "DATABASE_URL" not in process.environ()
    check = "import sys, media.decoder; print([name for name in sys.modules if name.startswith(('django', 'celery'))])"
    loaded = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    assert loaded.stdout.strip() == "[]"


def test_the_decoder_never_outlives_a_worker_that_was_killed():
    script = (
        "import os; from media.sandbox import sandbox; from tests.media.pictures import encode, plain, quarters\n"
        "sandbox.make_thumbnails(plain()); print(sandbox._process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    worker = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )
    assert worker.returncode == -signal.SIGKILL, worker.stderr
    pid = int(worker.stdout)
    assert until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_a_time_limit_in_the_middle_leaves_no_decoder_out_of_step(own_sandbox, monkeypatch):
    interrupted = server(own_sandbox)

    class SoftLimit(BaseException):
        pass

    def interrupt(_pipe: object) -> bytes:
        raise SoftLimit

    with monkeypatch.context() as patch:
        patch.setattr(module, "read_frame", interrupt)
        with pytest.raises(SoftLimit):
            own_sandbox.make_thumbnails(plain())
    assert not interrupted.is_running()
    assert len(own_sandbox.make_thumbnails(plain()).thumbnails) == 6


def test_threads_take_turns(own_sandbox):
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda: results.append(len(own_sandbox.make_thumbnails(plain()).thumbnails)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert results == [6] * 8


def test_a_forked_process_gets_a_decoder_of_its_own(own_sandbox):
    parents = server(own_sandbox).pid
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        own_sandbox.make_thumbnails(plain())
        os.write(writer, str(own_sandbox._process.pid).encode())
        own_sandbox.close()
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as answer:
        assert int(answer.read()) != parents
    assert server(own_sandbox).pid == parents


def test_damaged_bytes_end_in_thumbnails_or_a_refusal(own_sandbox):
    random = Random(20)  # the same bytes each time, so that a failure can be looked at
    pictures = [encode(quarters(), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF")]
    ends: set[str] = set()
    for number in range(200):
        data = bytearray(pictures[number % len(pictures)])
        for _ in range(random.randint(1, 12)):
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        if number % 3 == 0:
            del data[random.randrange(len(data)) :]
        try:
            ends.add(f"{len(own_sandbox.make_thumbnails(bytes(data)).thumbnails)} thumbnails")
        except Refusal as refusal:
            ends.add(refusal.code)
    assert ends >= {"6 thumbnails", "damaged"}
    assert ends <= {"6 thumbnails", "damaged", "not_an_image", "empty", "too_many_pixels", "too_elongated"}
