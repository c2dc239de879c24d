"""A web request never waits for a broker that is away or hangs."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from orders import services
from orders.models import Order
from orders.services import LineRequest
from reports.models import Report
from tests.factories import make_product, make_user
from tests.workers.conftest import broker_changed

LONGEST = 2.0  # seconds


@contextmanager
def black_hole() -> Iterator[str]:
    """A broker that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@contextmanager
def nobody() -> Iterator[str]:
    """A broker that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    yield f"redis://127.0.0.1:{port}/0"


@pytest.mark.parametrize("broker", [black_hole, nobody])
def test_a_report_is_accepted_in_time(client, waiting, broker):
    client.force_login(make_user(is_staff=True, is_superuser=True))

    with broker() as url, broker_changed(broker_write_url=url):
        began = time.monotonic()
        response = client.post("/reports/", {"first": "2025-01-01", "last": "2025-12-31"})
        took = time.monotonic() - began

    assert waiting("bulk") == 0
    assert response["Location"] == Report.objects.get().get_absolute_url()
    assert took < LONGEST


@pytest.mark.parametrize("broker", [black_hole, nobody])
def test_an_order_is_accepted_in_time(transactional_db, waiting, broker):
    product, customer = make_product(), make_user()

    with broker() as url, broker_changed(broker_write_url=url):
        began = time.monotonic()
        services.place_order(customer, [LineRequest(product.sku, 1)])
        took = time.monotonic() - began

    assert waiting("default") == 0
    assert Order.objects.get().status == "placed"
    assert took < LONGEST
