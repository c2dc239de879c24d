"""The wire: HTTP/1.1 with keep-alive, bearer keys, Stripe's paths, JSON out."""

import base64
import binascii
import hmac
import json
import logging
import re
import secrets
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from orders.payments.sandbox import intents
from orders.payments.sandbox.books import Books, Document
from orders.payments.sandbox.errors import InvalidRequest, Refusal
from orders.payments.sandbox.idempotency import Answer, KeyedRequest, KeysInFlight, run, run_once
from orders.payments.sandbox.parameters import Parameters

logger = logging.getLogger(__name__)

LARGEST_BODY = 1 << 20  # bytes; a payment intent with all its metadata is under 40 kB
GRACE = 5.0  # seconds a stopping server waits for the answers it is still giving
API_VERSION = "2026-10-28.endive"  # the version that the official client of today asks for

# The work of a path, given the books, what its pattern captured, and the parameters.
Endpoint = Callable[..., Document]
ONE = r"/v1/payment_intents/(?P<reference>[^/]+)"
ROUTES: tuple[tuple[str, re.Pattern[str], Endpoint], ...] = (
    ("POST", re.compile(r"/v1/payment_intents"), intents.create),
    ("GET", re.compile(r"/v1/payment_intents"), intents.listed),
    ("GET", re.compile(ONE), lambda books, reference, _parameters: intents.retrieve(books, reference)),
    ("POST", re.compile(rf"{ONE}/confirm"), intents.confirm),
    ("POST", re.compile(rf"{ONE}/cancel"), intents.cancel),
)


class SandboxServer(ThreadingHTTPServer):
    """Serves one set of books. `port` 0 takes a free one; `server_port` tells which."""

    daemon_threads = True  # an idle keep-alive connection must not hold up the end
    request_queue_size = 128  # the default of 5 refuses connections when a pool of workers starts at once

    def __init__(self, host: str, port: int, books_path: Path, key: str) -> None:
        super().__init__((host, port), Handler)
        self.key = key
        self.books = Books(books_path)
        self.keys_in_flight = KeysInFlight()
        self.stopping = False
        self._answering = 0
        self._idle = threading.Condition()

    def stop(self) -> None:
        """Take no more requests, finish those being answered, close the books. Not from the serving thread."""
        self.stopping = True
        self.shutdown()
        with self._idle:
            self._idle.wait_for(lambda: self._answering == 0, timeout=GRACE)
        self.server_close()
        self.books.close()

    def count(self, change: int) -> None:
        """A request has been read (+1) or its answer has been sent (-1)."""
        with self._idle:
            self._answering += change
            self._idle.notify_all()


class Handler(BaseHTTPRequestHandler):
    server: SandboxServer
    protocol_version = "HTTP/1.1"
    server_version = "payment-sandbox"
    sys_version = ""
    timeout = 75  # seconds that a connection may be idle, as with nginx
    wbufsize = -1  # headers and body in one packet: two would wait 40 ms for a delayed acknowledgement
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.answer("GET")

    def do_POST(self) -> None:
        self.answer("POST")

    def answer(self, method: str) -> None:
        self.server.count(+1)
        try:
            request_id = f"req_{secrets.token_hex(7)}"
            answer = self.outcome(method, request_id)
            self.send(answer, request_id)
        finally:
            self.server.count(-1)

    def outcome(self, method: str, request_id: str) -> Answer:
        try:
            body = self.read_body()
            self.check_key()
            url = urlsplit(self.path)
            parameters = dict(parse_qsl(url.query if method == "GET" else body, keep_blank_values=True))
            return self.dispatch(method, url.path, parameters, request_id)
        except Refusal as refusal:
            return Answer(refusal.status, refusal.body)
        except Exception:
            logger.exception("%s %s failed", method, self.path)
            error = {"type": "api_error", "message": "An error occurred in the sandbox. Its log says more."}
            return Answer(500, {"error": error})

    def dispatch(self, method: str, path: str, parameters: Parameters, request_id: str) -> Answer:
        endpoint, captured = find_endpoint(method, path)
        books = self.server.books

        def work() -> Document:
            return endpoint(books, *captured, parameters)

        key = self.headers.get("Idempotency-Key")
        if method == "POST" and key:
            request = KeyedRequest(request_id, key, path, parameters)
            return run_once(books, self.server.keys_in_flight, request, work)
        with books.transaction():
            return run(work)

    def read_body(self) -> str:
        """The body as text. After a refusal here the connection closes: what follows cannot be told apart."""
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise InvalidRequest("The request body must be at most 1 MB, with its length.", status=413)
        return self.rfile.read(int(length)).decode(errors="replace")

    def check_key(self) -> None:
        """Bearer, or basic with the key as the user's name, as Stripe accepts them."""
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                given = base64.b64decode(given).decode().partition(":")[0]
            except (binascii.Error, UnicodeDecodeError):
                given = ""
        if not given:
            raise InvalidRequest(
                "You did not provide an API key. You need to provide your API key in the Authorization header, using "
                "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
                status=401,
            )
        if not hmac.compare_digest(given.encode(), self.server.key.encode()):
            raise InvalidRequest(f"Invalid API Key provided: {given[:8]}****{given[-4:]}", status=401)

    def send(self, answer: Answer, request_id: str) -> None:
        body = json.dumps(answer.body, indent=2).encode()
        self.send_response(answer.status)
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Request-Id": request_id,
            "Stripe-Version": self.headers.get("Stripe-Version", API_VERSION),
        }
        if key := self.headers.get("Idempotency-Key"):
            headers["Idempotency-Key"] = key.encode("ascii", "replace").decode()
        if self.close_connection or self.server.stopping:
            headers["Connection"] = "close"
        for name, value in (headers | answer.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", _size: int | str = "-") -> None:
        logger.info("%s %s %s", self.command, self.path, int(code) if isinstance(code, HTTPStatus) else code)


def find_endpoint(method: str, path: str) -> tuple[Endpoint, tuple[str, ...]]:
    for verb, pattern, endpoint in ROUTES:
        if verb == method and (match := pattern.fullmatch(path)):
            return endpoint, match.groups()
    raise InvalidRequest(
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at "
        "https://support.stripe.com/.",
        status=404,
    )
