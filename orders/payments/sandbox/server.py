"""The wire: HTTP/1.1 with keep-alive, bearer keys, JSON out."""

import base64
import binascii
import hmac
import json
import logging
import secrets
import threading
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from urllib.parse import parse_qsl, urlsplit

from orders.payments.sandbox.books import Books
from orders.payments.sandbox.courier import Courier
from orders.payments.sandbox.desk import FAULTS, Desk, Request
from orders.payments.sandbox.errors import InvalidRequest, Refusal
from orders.payments.sandbox.events import API_VERSION
from orders.payments.sandbox.faults import Faults
from orders.payments.sandbox.idempotency import Answer
from orders.payments.sandbox.webhooks import Endpoint

logger = logging.getLogger(__name__)

LARGEST_BODY = 1 << 20  # bytes; a payment intent with all its metadata is under 40 kB
GRACE = 5.0  # seconds a stopping server waits for the answers it is still giving


class SandboxServer(ThreadingHTTPServer):
    """Serves one set of books on a socket that listens already."""

    daemon_threads = True  # an idle keep-alive connection must not hold up the end

    def __init__(
        self, listening: socket, books: Books, key: str, faults: Faults, endpoints: Sequence[Endpoint] = ()
    ) -> None:
        super().__init__(listening.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()  # which the base class has made
        self.socket = listening
        host, port = listening.getsockname()
        self.url = f"http://{host}:{port}"
        self.key = key
        self.books = books
        self.courier = Courier(books, faults, endpoints)
        self.desk = Desk(books, faults, self.courier)
        self.stopping = False
        self._answering = 0
        self._idle = threading.Condition()

    def serve_forever(self, poll_interval: float = 0.1) -> None:
        self.courier.start()
        super().serve_forever(poll_interval)

    def stop(self) -> None:
        """Take no more requests, finish those being answered, close the books. Not from the serving thread."""
        self.stopping = True
        self.shutdown()
        with self._idle:
            self._idle.wait_for(lambda: self._answering == 0, timeout=GRACE)
        self.server_close()
        self.courier.stop()
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
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def do_DELETE(self) -> None:
        self.answer()

    def answer(self) -> None:
        self.server.count(+1)
        request_id = f"req_{secrets.token_hex(7)}"
        try:
            with self.server.courier.holding(request_id):
                answer = self.outcome(request_id)
                if answer is None:
                    self.close_connection = True
                    self.log_request("dropped")
                else:
                    self.send(answer, request_id)
        finally:
            self.server.count(-1)

    def outcome(self, request_id: str) -> Answer | None:
        try:
            body = self.read_body()
            self.check_key()
            url = urlsplit(self.path)
            if url.path == FAULTS:
                return self.server.desk.control(self.command, body)
            parameters = dict(parse_qsl(url.query if self.command == "GET" else body, keep_blank_values=True))
            key = self.headers.get("Idempotency-Key")
            return self.server.desk.answer(Request(request_id, self.command, url.path, parameters, key))
        except Refusal as refusal:
            return Answer(refusal.status, refusal.body)
        except Exception:
            logger.exception("%s %s failed", self.command, self.path)
            error = {"type": "api_error", "message": "An error occurred in the sandbox. Its log says more."}
            return Answer(500, {"error": error})

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
