"""One POST to somebody else's server, which may be slow, silent or hostile.

Python's own client: it follows no redirect, reads no proxy from the environment, and lets us choose the address to connect to.
"""

import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse

from django.utils import timezone

from proj.hooks.addresses import DEFAULT_PORTS, Found, NotAllowed, Target, parse, resolve

#: Seconds for everything after the name was looked up. The specification recommends 15 to 30; a thread waits meanwhile.
TOTAL = 15.0
#: Seconds for a connection; within them three lost packets are sent again.
CONNECT = 5.0
#: Addresses of a host that are tried, one after the other.
MOST_ADDRESSES = 4
#: Bytes of an answer that are read, and characters that are kept to be looked at.
READ, KEPT = 4096, 1000


@dataclass(frozen=True)
class Answer:
    """What came of a request: the status of an answer, or why there is none."""

    status: int | None = None
    error: str = ""
    text: str = ""
    retry_after: float | None = None  # seconds

    @property
    def is_good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004  any 2xx


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Send a body, and return what came of it; nothing is raised for what the other side does."""
    try:
        target = parse(url)
        connection = _Connection(target, resolve(target))
    except NotAllowed as refusal:
        return Answer(error=f"It was not called. {refusal}")
    except OSError as error:
        return Answer(error=f"The host was not found: {_words(error)}")
    watch = threading.Timer(TOTAL, connection.cut)
    watch.daemon = True
    watch.start()
    try:
        connection.request("POST", target.path, body, dict(headers))
        with closing(connection.getresponse()) as response:
            if connection.is_cut:  # in the middle of the head, which the client takes for its end
                raise TimeoutError
            return _read(response)
    except (OSError, HTTPException) as error:
        why = f"no answer within {TOTAL:g} s" if connection.is_cut else _words(error)
        return Answer(error=f"The connection failed: {why}")
    finally:
        watch.cancel()
        watch.join()
        connection.close()


class _Connection(HTTPConnection):
    """Goes to addresses that were judged, whatever the name leads to by now; the certificate is that of the name."""

    def __init__(self, target: Target, found: list[Found]) -> None:
        super().__init__(target.host, target.port, timeout=TOTAL)
        self.default_port = DEFAULT_PORTS[target.scheme]  # which is left out of the header Host
        self.is_cut = False
        self._target, self._found = target, found[:MOST_ADDRESSES]
        # `sock` is forgotten by the client once the head of an answer has come; its body may still drip.
        self._line: socket.socket | None = None

    def connect(self) -> None:
        self.sock = self._line = self._open()
        if self._target.scheme == "https":
            # The handshake comes after the assignment, so that it can be cut off too.
            secure = _trust().wrap_socket(
                self._line, server_hostname=self._target.host, do_handshake_on_connect=False
            )
            self.sock = self._line = secure
            secure.do_handshake()

    def cut(self) -> None:
        """End it from outside, wherever it is: a limit for each read is none for a server that sends a byte a second."""
        self.is_cut = True
        if self._line is not None:
            with suppress(OSError):  # it is closed already
                socket.socket.shutdown(
                    self._line, socket.SHUT_RDWR
                )  # not that of TLS, which would go on reading

    def _open(self) -> socket.socket:
        last: OSError = OSError("it has no address")
        until = time.monotonic() + CONNECT
        for family, address in self._found:
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.settimeout(max(until - time.monotonic(), 0.1))
                sock.connect(address)
            except OSError as error:
                sock.close()
                last = error
            else:
                sock.settimeout(TOTAL)
                return sock
        raise last


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def _read(response: HTTPResponse) -> Answer:
    try:
        text = response.read(READ).decode(errors="replace")
    except (OSError, HTTPException):
        text = ""  # it has answered; what else it wanted to say is its own loss
    wait = _seconds(response.headers.get("Retry-After", ""))
    return Answer(
        status=response.status,
        text=text.replace("\x00", "\N{REPLACEMENT CHARACTER}")[:KEPT],
        retry_after=wait,
    )


def _seconds(header: str) -> float | None:
    """What Retry-After says, which is a number of seconds or a date; None when it is neither."""
    if header.isascii() and header.isdecimal():
        return float(header[:9])
    try:
        return max((parsedate_to_datetime(header) - timezone.now()).total_seconds(), 0.0)
    except (ValueError, TypeError):  # TypeError: a date without a zone
        return None


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (str(error) or type(error).__name__)[:200]
