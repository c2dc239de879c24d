import ast
import base64
import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest
import requests
import stripe
from django.core.management import CommandError, call_command

from tests.sandbox import KEY, Sandbox

BEARER = {"Authorization": f"Bearer {KEY}"}


def ask(sandbox: Sandbox, method: str, path: str, body: str | None = None, headers=BEARER):
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=10)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response, json.loads(response.read())
    finally:
        connection.close()


def test_a_wrong_key_is_refused_and_not_shown(shared_sandbox):
    with pytest.raises(stripe.AuthenticationError) as caught:
        shared_sandbox.client("sk_test_somebody_else").v1.payment_intents.list()
    assert caught.value.http_status == 401
    assert caught.value.user_message == "Invalid API Key provided: sk_test_****else"


def test_no_key_is_refused(shared_sandbox):
    response, body = ask(shared_sandbox, "GET", "/v1/payment_intents", headers={})
    assert (response.status, body["error"]["type"]) == (401, "invalid_request_error")


def test_the_key_may_be_the_user_name_of_basic_authentication(shared_sandbox):
    basic = {"Authorization": "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()}
    assert ask(shared_sandbox, "GET", "/v1/payment_intents", headers=basic)[0].status == 200
    broken = {"Authorization": "Basic ?"}
    assert ask(shared_sandbox, "GET", "/v1/payment_intents", headers=broken)[0].status == 401


def test_every_answer_has_its_own_request_id(shared_sandbox):
    ids = {ask(shared_sandbox, "GET", "/v1/payment_intents")[0].headers["Request-Id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(request_id.startswith("req_") for request_id in ids)


@pytest.mark.parametrize("path", ["/v1/nothing", "/", "/v1/payment_intents/pi_1/refuse"])
def test_an_unknown_path_says_so(shared_sandbox, path):
    response, body = ask(shared_sandbox, "POST", path, "")
    assert response.status == 404
    assert body["error"]["message"].startswith(f"Unrecognized request URL (POST: {path}).")


def test_a_connection_serves_many_requests(shared_sandbox):
    connection = http.client.HTTPConnection("127.0.0.1", shared_sandbox.port, timeout=10)
    connection.connect()
    socket = connection.sock
    for _ in range(3):
        connection.request("GET", "/v1/payment_intents?limit=1", headers=BEARER)
        response = connection.getresponse()
        response.read()
        assert response.status == 200
    assert connection.sock is socket
    connection.close()


def test_an_answer_does_not_wait_for_a_delayed_acknowledgement(shared_sandbox):
    connection = http.client.HTTPConnection("127.0.0.1", shared_sandbox.port, timeout=10)
    times = []
    for _ in range(20):
        started = time.perf_counter()
        connection.request("GET", "/v1/payment_intents?limit=1", headers=BEARER)
        connection.getresponse().read()
        times.append(time.perf_counter() - started)
    connection.close()
    assert min(times) < 0.02  # Nagle's algorithm against delayed acknowledgements costs 0.04 each time


def test_too_large_a_body_is_refused_unread(shared_sandbox):
    headers = {**BEARER, "Content-Length": str(2 << 20)}
    response, body = ask(shared_sandbox, "POST", "/v1/payment_intents", headers=headers)
    assert response.status == 413
    assert response.headers["Connection"] == "close"
    assert "1 MB" in body["error"]["message"]


def test_it_stops_when_asked_and_keeps_its_books(sandbox):
    params = {"amount": 100, "currency": "gbp", "confirm": True, "payment_method": "pm_card_visa"}
    intent = sandbox.client().v1.payment_intents.create(params)
    idle = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=10)
    idle.connect()
    assert sandbox.stop() == 0
    idle.close()
    sandbox.start()
    assert sandbox.client().v1.payment_intents.retrieve(intent.id).to_dict() == intent.to_dict()


def test_a_port_that_is_taken_is_one_line_and_exit_code_1(shared_sandbox, tmp_path):
    second = Sandbox(tmp_path)
    second.port = shared_sandbox.port
    with pytest.raises(AssertionError, match=f"Cannot listen on 127.0.0.1:{second.port}"):
        second.start()
    assert second.process.wait(10) == 1
    second.process.stdout.close()


def test_an_interrupt_ends_it_quietly(sandbox):
    sandbox.process.send_signal(signal.SIGINT)
    assert sandbox.process.wait(10) == 0
    sandbox.stop()
    assert "Traceback" not in sandbox.log.read_text()


USELESS = [
    (["--webhook", "http://127.0.0.1:1/"], "Each --webhook needs its --webhook-secret."),
    (["--faults", "2"], "--faults is a share from 0 to 1."),
]


@pytest.mark.parametrize(("options", "message"), USELESS)
def test_options_that_make_no_sense_are_one_line_and_exit_code_1(tmp_path, options, message):
    sandbox = Sandbox(tmp_path)
    sandbox.options = options
    with pytest.raises(AssertionError, match=message):
        sandbox.start()
    assert sandbox.process.wait(10) == 1
    sandbox.process.stdout.close()


def test_it_is_a_command_of_the_project_too(sandbox):
    command = [sys.executable, "manage.py", "payment_sandbox", "--books", str(sandbox.books)]
    served = subprocess.Popen([*command, "--port", "0", "--key", KEY], stdout=subprocess.PIPE, text=True)
    said = served.stdout.readline()
    url = said.partition(" on ")[2].partition(",")[0]
    assert requests.get(f"{url}/v1/charges", headers=BEARER, timeout=10).json()["data"] == []
    served.terminate()
    assert served.wait(10) == 0
    served.stdout.close()


def test_a_descriptor_that_cannot_listen_is_said_in_one_line(tmp_path):
    ours, theirs = socket.socketpair()  # connected to each other
    for descriptor, reason in ((1_000_000, "Bad file descriptor"), (ours.detach(), "Invalid argument")):
        with pytest.raises(CommandError, match=f"Cannot listen on descriptor {descriptor}: {reason}"):
            call_command("payment_sandbox", f"--fd={descriptor}", f"--books={tmp_path / 'books'}")
    theirs.close()


def test_it_imports_nothing_but_itself_and_the_standard_library():
    package = "orders.payments.sandbox"
    allowed = {*sys.stdlib_module_names, package}
    found = set()
    for file in Path(import_module(package).__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found |= {package if name.startswith(package) else name.partition(".")[0] for name in names}
    assert found - allowed == set()
    assert package in found
