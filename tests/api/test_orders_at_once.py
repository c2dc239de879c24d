"""Fifty clients at the same moment, over real HTTP."""

import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.test.testcases import LiveServerThread

from orders.models import Order
from tests.api.calls import ORDERS, bearer, cart
from tests.factories import make_product, make_user

CLIENTS = 50

# The server would also serve the static files, which nobody has collected and nobody asks for.
pytestmark = pytest.mark.filterwarnings("ignore:No directory at")


@pytest.fixture
def server(transactional_db, monkeypatch):
    """Django's live server, with room for all clients to knock at once; it has room for ten."""
    monkeypatch.setattr(ThreadedWSGIServer, "request_queue_size", CLIENTS)
    thread = LiveServerThread("127.0.0.1", static_handler=StaticFilesHandler)
    thread.daemon = True
    thread.start()
    assert thread.is_ready.wait(30)
    yield thread
    thread.terminate()


@pytest.fixture
def place_all(server, waiting):
    """Return a function that posts one cart fifty times at once: status, order and replay header of each."""

    def place(headers: dict[str, str], barrier: threading.Barrier) -> tuple[int, str, str | None]:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
        barrier.wait()
        connection.request("POST", ORDERS, json.dumps(cart(("HEART", 3))), headers)
        response = connection.getresponse()
        body = json.load(response)
        connection.close()
        return response.status, body.get("id"), response.headers["Idempotent-Replayed"]

    def place_all(**more: str) -> list[tuple[int, str, str | None]]:
        make_product("HEART")
        headers = {**bearer(make_user()), "Content-Type": "application/json", **more}
        barrier = threading.Barrier(CLIENTS, timeout=60)
        with ThreadPoolExecutor(CLIENTS) as pool:
            return list(pool.map(lambda _: place(headers, barrier), range(CLIENTS)))

    return place_all


def test_posts_of_one_cart_with_one_key_place_one_order(place_all, waiting):
    answers = place_all(**{"Idempotency-Key": "checkout"})
    order = Order.objects.get()
    number = str(order.public_id)
    # One places it; who asks meanwhile is told to ask again, and who asks later is told the same as the first.
    assert {answer for answer in answers if answer[0] != 409} <= {(202, number, None), (202, number, "true")}
    assert [replayed for status, _, replayed in answers if status == 202].count(None) == 1
    assert waiting("default") == 1


def test_posts_without_a_key_place_an_order_each(place_all, waiting):
    answers = place_all()
    assert {(status, replayed) for status, _, replayed in answers} == {(202, None)}
    assert Order.objects.count() == len({number for _, number, _ in answers}) == CLIENTS
    assert waiting("default") == CLIENTS
