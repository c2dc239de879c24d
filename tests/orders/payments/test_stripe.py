import json
import os
import socket
import threading
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from orders.payments import stripe_client
from orders.payments.gateway import Declined, Misconfigured, Unavailable, Unknown
from orders.payments.stripe import StripeGateway
from proj.jobs.errors import Permanent, Transient
from tests.sandbox import KEY, Sandbox


def charge(sandbox: Sandbox, *, api_key: str = KEY, key: str = "", **changes: object):
    arguments = {
        "key": key or uuid.uuid4().hex,
        "amount": 1234,
        "currency": "GBP",
        "payment_method": "pm_card_visa",
        "metadata": {"order": "seven"},
        **changes,
    }
    return StripeGateway(api_key, sandbox.url).charge(**arguments)


@pytest.fixture
def answering():
    """Serve one fixed HTTP answer; return a function that sets it and gives the address."""
    answer = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(answer["status"])
            self.end_headers()
            self.wfile.write(answer["body"])

        def log_message(self, *_args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def serve(status: int, body: bytes) -> StripeGateway:
        answer.update(status=status, body=body)
        return StripeGateway(KEY, f"http://127.0.0.1:{server.server_port}")

    yield serve
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_charge_captures_the_amount_and_can_be_found_by_its_metadata(shared_sandbox):
    order = uuid.uuid4().hex
    charged = charge(shared_sandbox, metadata={"order": order})
    assert charged.reference.startswith("pi_")
    assert shared_sandbox.charges_of(order) == [(1234, "gbp")]


def test_the_same_key_is_the_same_charge(shared_sandbox):
    order, key = uuid.uuid4().hex, uuid.uuid4().hex
    first = charge(shared_sandbox, key=key, metadata={"order": order})
    assert charge(shared_sandbox, key=key, metadata={"order": order}) == first
    assert shared_sandbox.charges_of(order) == [(1234, "gbp")]


def test_a_declined_card_says_why_to_programs_and_to_the_shopper(shared_sandbox):
    with pytest.raises(Declined) as caught:
        charge(shared_sandbox, payment_method="pm_card_chargeDeclinedInsufficientFunds")
    assert caught.value.code == "insufficient_funds"
    assert caught.value.detail == "Your card has insufficient funds."
    assert caught.value.provider_ref.startswith("pi_")
    assert isinstance(caught.value, Permanent)


@pytest.mark.parametrize(
    ("changes", "code", "detail"),
    [
        ({"payment_method": "pm_nobody"}, "resource_missing", "This payment method cannot be used."),
        ({"amount": 29}, "amount_too_small", "This amount cannot be paid by card."),
        ({"currency": "XXX"}, "invalid", "This currency cannot be paid by card."),
    ],
)
def test_what_the_shopper_chose_is_a_decline_when_it_cannot_be_paid(shared_sandbox, changes, code, detail):
    with pytest.raises(Declined) as caught:
        charge(shared_sandbox, **changes)
    assert (caught.value.code, caught.value.detail, caught.value.provider_ref) == (code, detail, "")


def test_a_wrong_api_key_is_for_people_to_repair(shared_sandbox):
    with pytest.raises(Misconfigured) as caught:
        charge(shared_sandbox, api_key="sk_test_nobody")
    assert "Invalid API Key provided" in caught.value.detail


def test_a_key_that_was_used_for_another_charge_is_for_people_to_repair(shared_sandbox):
    key = uuid.uuid4().hex
    charge(shared_sandbox, key=key)
    with pytest.raises(Misconfigured) as caught:
        charge(shared_sandbox, key=key, amount=1235)
    assert "same parameters" in caught.value.detail


def test_our_own_mistake_in_a_parameter_is_for_people_to_repair(shared_sandbox):
    with pytest.raises(Misconfigured) as caught:
        charge(shared_sandbox, metadata={"k" * 41: "v"})
    assert "Metadata keys" in caught.value.detail


def test_nobody_listening_is_unknown():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        gateway = StripeGateway(KEY, f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(Unknown, match="you will not pay twice") as caught:
            gateway.charge(key="k", amount=1, currency="GBP", payment_method="pm_card_visa", metadata={})
    assert "Unexpected error communicating with Stripe" in caught.value.detail
    assert isinstance(caught.value, Transient)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (500, b'{"error": {"type": "api_error", "message": "Oops."}}', Unknown),
        (503, b"<html>", Unknown),
        (200, b"<html>", Unknown),
        (200, b'{"id": "pi_1", "object": "payment_intent", "status": "succeeded"}', Unknown),
        (409, b'{"error": {"code": "idempotency_key_in_use", "message": "Wait."}}', Unknown),
        (429, b'{"error": {"code": "rate_limit", "message": "Slow down."}}', Unavailable),
        (403, b'{"error": {"type": "invalid_request_error", "message": "No."}}', Misconfigured),
        (402, b'{"error": {"type": "card_error", "code": "card_declined", "message": "No."}}', Declined),
    ],
)
def test_every_answer_is_sorted_by_what_is_known_about_the_money(answering, status, body, expected):
    gateway = answering(status, body)
    with pytest.raises(expected) as caught:
        gateway.charge(key="k", amount=100, currency="GBP", payment_method="pm_card_visa", metadata={})
    assert type(caught.value) is expected


def test_a_provider_that_does_not_answer_in_time_is_unknown(monkeypatch):
    monkeypatch.setattr(stripe_client, "READ_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        gateway = StripeGateway(KEY, f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(Unknown) as caught:
            gateway.charge(key="k", amount=1, currency="GBP", payment_method="pm_card_visa", metadata={})
    assert "Read timed out" in caught.value.detail


def test_charges_share_a_connection(sandbox):
    for _ in range(4):
        charge(sandbox)
    session = stripe_client.connect(KEY, sandbox.url)._requestor._client._session
    pools = session.get_adapter(sandbox.url).poolmanager.pools
    (only,) = pools.keys()
    assert (pools[only].num_connections, pools[only].num_requests) == (1, 4)


def test_a_child_process_opens_connections_of_its_own(shared_sandbox):
    charge(shared_sandbox)
    ours = stripe_client.connect(KEY, shared_sandbox.url)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, b"new" if stripe_client.connect(KEY, shared_sandbox.url) is not ours else b"old")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 3) == b"new"
    os.close(read)
    os.close(write)
    assert stripe_client.connect(KEY, shared_sandbox.url) is ours


def test_proxies_of_the_environment_are_not_for_plain_http(shared_sandbox, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    stripe_client.connect.cache_clear()
    assert charge(shared_sandbox).reference.startswith("pi_")


def test_an_amount_that_makes_no_sense_is_unknown_and_not_declined(answering):
    body = {
        "id": "pi_1",
        "object": "payment_intent",
        "status": "succeeded",
        "currency": "isk",
        "amount": 501,
        "amount_received": 501,
        "last_payment_error": None,
        "latest_charge": None,
        "metadata": {},
    }
    gateway = answering(200, json.dumps(body).encode())
    with pytest.raises(Unknown) as caught:
        gateway.charge(key="k", amount=5, currency="ISK", payment_method="pm_card_visa", metadata={})
    assert caught.value.detail == "An answer that is not what it should be: 501 is no whole number of ISK"


@pytest.mark.parametrize(("status", "answered"), [(409, True), (500, False), (503, False)])
def test_a_provider_that_says_to_wait_is_well_and_one_that_fails_is_not(answering, status, answered):
    gateway = answering(status, b'{"error": {"message": "No."}}')
    with pytest.raises(Unknown) as caught:
        gateway.charge(key="k", amount=100, currency="GBP", payment_method="pm_card_visa", metadata={})
    assert caught.value.answered is answered
