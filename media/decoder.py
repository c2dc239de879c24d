"""The process that decodes strangers' pictures: ``python -m media.decoder``, started by :mod:`media.sandbox`.

It loads the image library once and then forks a child for each picture, so that every picture is decoded in a fresh
process under hard limits at the price of a fork (about 2 ms; starting Python with libvips takes 30). Whatever a
picture does to its child, it does it alone, and the next picture never meets it. Django is never imported here, and
the environment holds no secret.

Pictures come in frames on standard input, each with the square to cut out of it, until it closes, which ends the process: so it never outlives its worker,
even one that was killed. The answers go out in frames on standard output: a line of JSON with the cost, then a
message of :mod:`media.wire`.
"""

import gc
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from contextlib import suppress
from typing import BinaryIO

from media.crops import Crop
from media.images import make_thumbnails, prepare
from media.wire import Refusal, pack, pack_failure, pack_refusal, read_frame, unpack_picture, write_frame

# Measured with the heaviest pictures that pass the header checks, 24 megapixels each: an interlaced 16 bit PNG with
# alpha takes 260 MB and 0.4 s, a progressive CMYK JPEG 270 MB and 0.8 s, an AVIF of 12 bits with alpha 640 MB and
# 1.4 s; everything else less than 200 MB. A picture that wants more than the limits was made to want more.
MEMORY_LIMIT = 1024 * 1024**2  # bytes of address space: about 150 MB of it are libraries
CPU_LIMIT = 8  # seconds of processor time
WALL_LIMIT = 10.0  # seconds by the clock, for a child that waits or was stopped

END = b"\0END"  # closes a whole message between child and server


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer pictures until ``requests`` ends."""
    with suppress(EOFError):
        while True:
            write_frame(answers, decode_in_child(read_frame(requests)))


def decode_in_child(picture: bytes) -> bytes:
    """Decode one picture in a child of its own and return the answer, whatever becomes of the child."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _decode_and_exit(picture, writer)
    os.close(writer)
    try:
        message = _read_until(reader, time.monotonic() + WALL_LIMIT)
    finally:
        os.close(reader)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _, _, usage = os.wait4(child, 0)
    if not message.endswith(END):  # it died, or was killed, before it was done
        message = pack_refusal(Refusal.too_costly()) + END
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    cost = {"cpu_seconds": usage.ru_utime + usage.ru_stime, "peak_bytes": peak}
    return json.dumps(cost).encode() + b"\n" + message.removesuffix(END)


def limit_resources() -> None:
    """Put the hard limits on this process, each where the platform has it (macOS has no RLIMIT_AS that works)."""
    limits = {
        resource.RLIMIT_AS: MEMORY_LIMIT,
        resource.RLIMIT_CPU: CPU_LIMIT,
        resource.RLIMIT_FSIZE: 0,  # writes no file
        resource.RLIMIT_NOFILE: 32,  # and opens hardly any
        resource.RLIMIT_CORE: 0,  # a crash leaves no core behind
    }
    for kind, limit in limits.items():
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))


def _decode_and_exit(picture: bytes, writer: int) -> None:
    # Never returns: an exception that escaped would make this child a second server on the same pipes.
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):  # libraries print; a picture must not write into anybody's log
            os.dup2(null, descriptor)
        limit_resources()
        with os.fdopen(writer, "wb") as answer:
            answer.write(_message(picture) + END)
    finally:
        os._exit(0)


def _message(picture: bytes) -> bytes:
    try:
        data, crop = unpack_picture(picture)
        return pack(make_thumbnails(data, Crop(*crop) if crop else None))
    except Refusal as refusal:
        return pack_refusal(refusal)
    except MemoryError:
        return pack_refusal(Refusal.too_costly())
    except Exception:  # noqa: BLE001  a fault of ours: the worker raises it where people look
        return pack_failure(traceback.format_exc())


def _read_until(reader: int, deadline: float) -> bytes:
    chunks = []
    while (left := deadline - time.monotonic()) > 0:
        if select.select([reader], [], [], left)[0]:
            chunk = os.read(reader, 1 << 20)
            if not chunk:
                break
            chunks.append(chunk)
    return b"".join(chunks)


def main() -> None:
    """Serve standard input and output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the worker, which then closes our input
    prepare()
    gc.freeze()  # what is loaded now is shared with every child and never copied for the collector's marks
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
