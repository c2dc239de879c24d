import os
import resource
import signal
import time

import psutil
import pytest

from media import decoder
from media.wire import Refusal, pack_picture, unpack


def in_child(monkeypatch, action) -> list:
    """Answer one picture with ``action`` in place of the decoding."""
    monkeypatch.setattr(decoder, "make_thumbnails", action)
    return unpack(decoder.decode_in_child(pack_picture(b"any", None)).partition(b"\n")[2])


def test_a_child_that_hangs_is_killed_at_the_limit(monkeypatch):
    monkeypatch.setattr(decoder, "WALL_LIMIT", 0.5)
    begin = time.monotonic()
    with pytest.raises(Refusal) as refusal:
        in_child(monkeypatch, lambda _data, _crop: os.kill(os.getpid(), signal.SIGSTOP))
    assert refusal.value.code == "too_costly"
    assert time.monotonic() - begin < 5
    assert not any(each.status() == psutil.STATUS_STOPPED for each in psutil.Process().children())


def test_a_child_that_takes_memory_is_refused_and_takes_nothing_from_others(monkeypatch):
    with pytest.raises(Refusal) as refusal:
        in_child(monkeypatch, lambda _data, _crop: bytearray(4 * 1024**3))
    assert refusal.value.code == "too_costly"


def test_a_child_that_computes_for_ever_is_ended_by_the_processor_limit(monkeypatch):
    monkeypatch.setattr(decoder, "CPU_LIMIT", 1)

    def compute(_data: bytes, _crop: object) -> None:
        while True:
            pass

    begin = time.monotonic()
    with pytest.raises(Refusal) as refusal:
        in_child(monkeypatch, compute)
    assert refusal.value.code == "too_costly"
    assert time.monotonic() - begin < decoder.WALL_LIMIT


def test_a_child_that_crashes_is_a_refusal(monkeypatch):
    with pytest.raises(Refusal) as refusal:
        in_child(monkeypatch, lambda _data, _crop: os.kill(os.getpid(), signal.SIGKILL))
    assert refusal.value.code == "too_costly"


def test_a_child_cannot_write_files(monkeypatch, tmp_path):
    def write(_data: bytes, _crop: object) -> list:
        (tmp_path / "file").write_bytes(b"x")
        return []

    with pytest.raises((Refusal, RuntimeError)):
        in_child(monkeypatch, write)
    assert not (tmp_path / "file").exists() or (tmp_path / "file").stat().st_size == 0


def test_a_fault_of_ours_is_not_a_refusal(monkeypatch):
    def fail(_data: bytes, _crop: object) -> None:
        raise KeyError("ours")

    with pytest.raises(RuntimeError, match="KeyError: 'ours'"):
        in_child(monkeypatch, fail)


def test_the_limits_are_those_of_the_child_alone():
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY
    assert decoder.MEMORY_LIMIT == 1024**3
