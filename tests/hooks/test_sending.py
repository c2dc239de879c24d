"""One POST to servers that are slow, silent, hostile or not who they say they are."""

import ipaddress
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from proj.hooks import sending
from proj.hooks.sending import KEPT, READ, post
from tests.hooks.receiver import Receiver, answer, dripping, receiving


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_a_server_that_drips_is_cut_off(monkeypatch, receiver: Receiver, head):
    monkeypatch.setattr(sending, "TOTAL", 0.5)
    receiver.replies = [dripping(head)]
    start = time.monotonic()

    outcome = post(receiver.url, b"{}", {})

    assert time.monotonic() - start < 5
    assert (outcome.status, outcome.error) == (None, "The connection failed: no answer within 0.5 s")


@pytest.mark.parametrize(
    "head", [b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n"]
)
def test_an_answer_whose_body_drips_is_an_answer(monkeypatch, receiver: Receiver, head):
    monkeypatch.setattr(sending, "TOTAL", 0.5)
    receiver.replies = [dripping(head)]
    start = time.monotonic()

    outcome = post(receiver.url, b"{}", {})

    assert time.monotonic() - start < 5
    assert outcome.status == 200


def test_a_server_that_says_nothing_is_cut_off(monkeypatch):
    monkeypatch.setattr(sending, "TOTAL", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outcome = post(f"http://127.0.0.1:{silent.getsockname()[1]}/", b"{}", {})

    assert (outcome.status, outcome.error) == (None, "The connection failed: no answer within 0.5 s")


def test_a_handshake_that_never_ends_is_cut_off(monkeypatch):
    monkeypatch.setattr(sending, "TOTAL", 0.5)
    start = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outcome = post(f"https://127.0.0.1:{silent.getsockname()[1]}/", b"{}", {})

    assert time.monotonic() - start < 5
    assert outcome.error == "The connection failed: no answer within 0.5 s"


def test_of_a_long_answer_little_is_read_and_less_kept(monkeypatch, receiver: Receiver):
    taken = []
    read = sending.HTTPResponse.read
    monkeypatch.setattr(
        sending.HTTPResponse, "read", lambda self, amount=None: taken.append(amount) or read(self, amount)
    )
    receiver.replies = [answer(200, b"\x00\xff" + b"x" * 10_000_000)]

    outcome = post(receiver.url, b"{}", {})

    assert taken == [READ]
    assert (outcome.status, len(outcome.text)) == (200, KEPT)
    assert "\x00" not in outcome.text


def test_what_is_no_http_is_a_failure(receiver: Receiver):
    receiver.replies = [lambda handler: handler.wfile.write(b"220 mail.example ESMTP\r\n")]

    outcome = post(receiver.url, b"{}", {})

    assert outcome.status is None
    assert outcome.error.startswith("The connection failed: ")


def test_a_host_that_there_is_not_is_a_failure():
    outcome = post("https://nowhere.invalid/", b"{}", {})

    assert outcome.error.startswith("The host was not found: ")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("-1", None), ("soon", None), ("٣", None), ("Mon, 01 Jan 2001 00:00:00 GMT", 0)],
)
def test_retry_after_is_seconds_or_a_date(header, seconds):
    assert sending._seconds(header) == seconds


def test_retry_after_may_be_a_date_to_come():
    when = datetime.now(UTC) + timedelta(seconds=90)

    assert 80 < sending._seconds(when.strftime("%a, %d %b %Y %H:%M:%S GMT")) <= 90


def test_no_proxy_of_the_environment_is_used(monkeypatch, receiver: Receiver):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    assert post(receiver.url, b"{}", {}).status == 204


def certificate(tmp_path, name: str) -> str:
    """A file with a key and a certificate for a name, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName(
        [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.9"))]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return str(path)


@pytest.fixture
def secure(tmp_path):
    """A receiver behind TLS, with a certificate for shop.example; yields it with the path of the certificate."""
    path = certificate(tmp_path, "shop.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with receiving() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.handle_error = lambda *_: None  # handshakes that fail are what is tested
        yield server, path


def lead_here(monkeypatch) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(
        sending.resolve.__globals__["socket"],
        "getaddrinfo",
        lambda _host, port, **kw: real("127.0.0.1", port, **kw),
    )


def test_a_server_whose_certificate_nobody_vouches_for_gets_nothing(monkeypatch, secure):
    server, _ = secure
    lead_here(monkeypatch)

    outcome = post(f"https://shop.example:{server.server_port}/", b"{}", {})

    assert outcome.status is None
    assert "certificate verify failed" in outcome.error
    assert server.posts == []


@pytest.mark.parametrize(("host", "status"), [("shop.example", 204), ("other.example", None)])
def test_the_certificate_must_be_that_of_the_name(monkeypatch, secure, host, status):
    server, path = secure
    lead_here(monkeypatch)
    monkeypatch.setattr(sending, "_trust", lambda: ssl.create_default_context(cafile=path))

    outcome = post(f"https://{host}:{server.server_port}/", b"{}", {})

    assert outcome.status == status
    assert len(server.posts) == (1 if status else 0)


def test_no_thread_is_left_behind(receiver: Receiver):
    post(receiver.url, b"{}", {})

    assert [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)] == []
