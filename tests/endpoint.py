"""A merchant's end of the webhooks: a server that keeps what it is sent and answers as it is told."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import stripe

DEADLINE = 15  # seconds to wait for a webhook; most take a hundredth


class Post(NamedTuple):
    body: bytes
    signature: str
    at: float

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def kind(self) -> str:
        return self.event["type"]

    def verify(self, secret: str) -> stripe.Event:
        """The event, if the official client finds the signature good; else it raises."""
        return stripe.Webhook.construct_event(self.body, self.signature, secret)


class WebhookEndpoint(ThreadingHTTPServer):
    """`answers` says which status the next posts get, one after the other; then 200."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posts: list[Post] = []
        self.answers: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/webhooks/payments"

    @property
    def kinds(self) -> list[str]:
        return [post.kind for post in self.posts]

    def wait_for(self, fulfilled: Callable[[list[Post]], bool]) -> list[Post]:
        """Wait until the posts so far fulfil the condition, and return them."""
        deadline = time.monotonic() + DEADLINE
        while not fulfilled(list(self.posts)):
            assert time.monotonic() < deadline, self.kinds
            time.sleep(0.01)
        return list(self.posts)


class _Handler(BaseHTTPRequestHandler):
    server: WebhookEndpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append(Post(body, self.headers["Stripe-Signature"], time.time()))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        pass


@contextmanager
def webhook_endpoint() -> Iterator[WebhookEndpoint]:
    """An endpoint on a free port, for as long as the block lasts."""
    with WebhookEndpoint() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
