"""What passes between a worker and the decoder's process: pictures in; thumbnails, or a refusal, out.

Both sides import it, so it imports nothing heavy.
"""

import json
from collections.abc import Mapping, Sequence
from typing import IO, NamedTuple, Self

LENGTH_BYTES = 8
#: The sides of the thumbnails, in pixels, in the order in which they are made.
SIZES = (512, 256, 128, 64, 32)


class Refusal(Exception):  # noqa: N818  not an error of ours: an answer
    """The picture cannot be an avatar, today or ever.

    Args:
        code: a stable word for programs, such as ``"damaged"``.
        detail: one sentence for the person who uploaded it.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail

    @classmethod
    def too_costly(cls) -> Self:
        """The refusal of a picture that ran into a limit."""
        return cls("too_costly", "The picture takes too much memory or time to decode.")


class Encoded(NamedTuple):
    """One finished thumbnail."""

    size: int  # the side that was asked for, in pixels
    format: str  # "webp" or "jpeg"
    width: int
    height: int
    content: bytes


class Cost(NamedTuple):
    """What one picture took in the decoder."""

    cpu_seconds: float
    peak_bytes: int  # resident memory, at most


def write_frame(pipe: IO[bytes], data: bytes) -> None:
    """Send ``data``, its length first."""
    pipe.write(len(data).to_bytes(LENGTH_BYTES, "big") + data)
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> bytes:
    """Return what :func:`write_frame` sent.

    Raises:
        EOFError: the other side is gone.
    """
    length = int.from_bytes(_read_exactly(pipe, LENGTH_BYTES), "big")
    return _read_exactly(pipe, length)


def pack_picture(data: bytes, crop: Sequence[int] | None) -> bytes:
    """Return a picture, and the square to cut out of it, as one message."""
    return _line({"crop": crop}) + data


def unpack_picture(message: bytes) -> tuple[bytes, Sequence[int] | None]:
    """Return what :func:`pack_picture` was given."""
    line, _, data = message.partition(b"\n")
    return data, json.loads(line)["crop"]


def pack(thumbnails: Sequence[Encoded]) -> bytes:
    """Return thumbnails as one message: a line of JSON that describes them, then their bytes one after another."""
    header = [{**each._asdict(), "content": len(each.content)} for each in thumbnails]
    return b"".join([_line({"thumbnails": header}), *(each.content for each in thumbnails)])


def pack_refusal(refusal: Refusal) -> bytes:
    """Return a refusal as a message."""
    return _line({"refusal": [refusal.code, refusal.detail]})


def pack_failure(text: str) -> bytes:
    """Return an error of our own, such as a traceback, as a message."""
    return _line({"failure": text})


def unpack(message: bytes) -> list[Encoded]:
    """Return the thumbnails in a message.

    Raises:
        Refusal: the one in the message.
        RuntimeError: the decoder failed by a fault of its own; the text says how.
    """
    line, _, content = message.partition(b"\n")
    header = json.loads(line)
    if "refusal" in header:
        raise Refusal(*header["refusal"])
    if "failure" in header:
        raise RuntimeError(f"the decoder failed: {header['failure']}")
    thumbnails = []
    for fields in header["thumbnails"]:
        length = fields["content"]
        thumbnails.append(Encoded(**{**fields, "content": content[:length]}))
        content = content[length:]
    return thumbnails


def _line(header: Mapping[str, object]) -> bytes:
    return json.dumps(header).encode() + b"\n"


def _read_exactly(pipe: IO[bytes], length: int) -> bytes:
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError
    return data
