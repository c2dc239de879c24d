"""The worker's side of the decoder: hands pictures to a separate process and survives whatever they do to it."""

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from media.crops import Crop
from media.wire import Cost, Encoded, Refusal, pack_picture, read_frame, unpack, write_frame

# Above the decoder's own limit of 10 s for a picture: this one is for a decoder that does not answer at all.
PATIENCE = 15.0
ROOT = Path(__file__).resolve().parent.parent


class DecoderLostError(Exception):
    """The decoder's process went away without a word, twice: the machine's trouble, not the picture's."""


class Decoded(NamedTuple):
    """The thumbnails of one picture, and what they took."""

    thumbnails: list[Encoded]
    cost: Cost


class Sandbox:
    """A decoder process, started when first needed and again whenever it is gone.

    A plain subprocess and not multiprocessing, because Celery's prefork workers are daemons, which may not have
    children by multiprocessing. Safe to use from threads, one picture at a time, and after a fork, where the child
    gets a decoder of its own.

    Args:
        patience: seconds to wait for an answer before the decoder is killed.
    """

    def __init__(self, *, patience: float = PATIENCE) -> None:
        self.patience = patience
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        atexit.register(self.close)

    def make_thumbnails(self, data: bytes, crop: Crop | None = None) -> Decoded:
        """Return the thumbnails of a picture.

        Args:
            data: the file as it was uploaded.
            crop: the square to show; None for the middle.

        Raises:
            Refusal: the picture cannot be used, now or later.
            DecoderLostError: no decoder stays up; another try may succeed.
            RuntimeError: a fault of our own in the decoder.
        """
        picture = pack_picture(data, crop)
        with self._lock:
            answer = self._ask(picture) or self._ask(picture)
        if answer is None:
            raise DecoderLostError("the decoder's process ended twice without an answer")
        line, _, message = answer.partition(b"\n")
        cost = json.loads(line)
        return Decoded(unpack(message), Cost(cost["cpu_seconds"], cost["peak_bytes"]))

    def close(self) -> None:
        """End the decoder, if this process has one."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):  # a broken pipe, when bytes were left in the buffer
                _opened(pipe).close()

    def _ask(self, picture: bytes) -> bytes | None:
        """Return the answer, or None when the decoder died before it gave one.

        Raises:
            Refusal: it had not answered in time.
        """
        process = self._running()
        impatient = threading.Event()

        def give_up() -> None:
            impatient.set()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(self.patience, give_up)
        timer.start()
        try:
            write_frame(_opened(process.stdin), picture)
            return read_frame(_opened(process.stdout))
        except (OSError, EOFError):
            self.close()
            if impatient.is_set():
                raise Refusal.too_costly() from None
            return None
        except BaseException:
            self.close()  # a soft time limit, in the middle of an answer: the next one would be out of step
            raise
        finally:
            timer.cancel()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-s", "-P", "-m", "media.decoder"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=_environment(),
                cwd="/",
                start_new_session=True,  # one group with its children, to be killed as one
            )
            self._owner = os.getpid()
        return self._process


def _opened(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("the decoder was started without pipes")
    return pipe


def _environment() -> dict[str, str]:
    """Return the decoder's whole environment: nothing of ours, so a picture that takes it over finds no password."""
    return {
        "PYTHONPATH": str(ROOT),
        "VIPS_CONCURRENCY": "1",  # one core for each picture; a worker has as many processes as it has cores
        "VIPS_DISC_THRESHOLD": "2g",  # large pictures stay in memory, under its limit, and never become files
        "MALLOC_ARENA_MAX": "2",  # glibc would reserve 64 MB of address space for each thread
    }


sandbox = Sandbox()
