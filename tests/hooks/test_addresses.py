"""Which addresses are called. Each that is refused leads inside, or might."""

import socket

import pytest

from proj.hooks import addresses, sending
from proj.hooks.addresses import NotAllowed, Target, is_allowed, parse, resolve
from tests.hooks.receiver import Receiver


@pytest.fixture(autouse=True)
def _in_production(settings, _on_this_machine) -> None:
    settings.HOOKS_ALLOW_PRIVATE = False


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104  nothing is bound to it
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.8.8.8",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a00:1::",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_an_address_that_is_not_public_is_refused(address):
    assert not is_allowed(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2002:101:101::"])
def test_a_public_address_is_allowed(address):
    assert is_allowed(address)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com/", "begins with https://"),
        ("ftp://example.com/", "begins with https://"),
        ("//example.com/", "begins with"),
        ("https://", "begins with"),
        ("https:///hooks", "begins with"),
        ("javascript:alert(1)", "begins with"),
        ("https://user@example.com/", "no user name"),
        ("https://user:pass@example.com/", "no user name"),
        ("https://example.com/#part", "fragment"),
        ("https://example.com:22/", "port"),
        ("https://example.com:25/", "port"),
        ("https://example.com:0/", "port"),
        ("https://example.com:99999/", "not a web address"),
        ("https://[::1/", "not a web address"),
        ("https://exa mple.com/", "ASCII"),
        ("https://example.com/\r\nHost: inside", "ASCII"),
        ("https://münchen.example/", "ASCII"),
        ("https://localhost/", "not public"),
        ("https://LOCALHOST./", "not public"),
        ("https://127.0.0.1/", "not public"),
        ("https://[::1]/", "not public"),
        ("https://[::ffff:10.0.0.1]/", "not public"),
        ("https://169.254.169.254/latest/meta-data", "not public"),
    ],
)
def test_a_url_that_will_not_be_called_is_refused_when_it_is_given(url, why):
    with pytest.raises(NotAllowed, match=why):
        parse(url)


def test_a_url_is_taken_apart():
    assert parse("https://Example.com/hooks?a=1") == Target("https", "example.com", 443, "/hooks?a=1")
    assert parse("https://example.com:8443") == Target("https", "example.com", 8443, "/")
    assert parse("https://[2606:4700:4700::1111]/") == Target("https", "2606:4700:4700::1111", 443, "/")


def test_for_development_everything_may_be_called(settings):
    settings.HOOKS_ALLOW_PRIVATE = True

    assert parse("http://localhost:22/x") == Target("http", "localhost", 22, "/x")
    assert is_allowed("127.0.0.1")


def looked_up(monkeypatch, *addresses_found: str) -> list[str]:
    """Make every name lead to these addresses; return the list of names that were looked up."""
    asked: list[str] = []

    def look_up(host: str, port: int, **_: object):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses_found]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", look_up)
    return asked


@pytest.mark.parametrize("found", [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"]])
def test_a_name_that_leads_inside_is_refused(monkeypatch, found):
    looked_up(monkeypatch, *found)

    with pytest.raises(NotAllowed, match="not public"):
        resolve(parse("https://inside.example/"))


@pytest.mark.parametrize(
    "url", ["https://2130706433:{port}/", "https://0x7f.1:{port}/", "https://127.1:{port}/"]
)
def test_a_number_that_is_an_address_in_disguise_is_not_called(receiver: Receiver, url):
    answer = sending.post(url.format(port=receiver.server_port), b"{}", {})

    assert (answer.status, receiver.posts) == (None, [])
    assert "not public" in answer.error


def test_a_name_that_leads_inside_is_not_called(monkeypatch, receiver: Receiver):
    looked_up(monkeypatch, "127.0.0.1")

    answer = sending.post(f"https://inside.example:{receiver.server_port}/", b"{}", {})

    assert (answer.status, answer.error) == (
        None,
        "It was not called. Its host leads to an address that is not public.",
    )


def test_the_address_that_was_judged_is_the_one_that_is_called(monkeypatch, settings, receiver: Receiver):
    """DNS rebinding: a second look would find another address. There is none."""
    settings.HOOKS_ALLOW_PRIVATE = True
    asked = looked_up(monkeypatch, "127.0.0.1")

    answer = sending.post(f"http://shop.example:{receiver.server_port}/", b"{}", {})

    assert answer.status == 204
    assert asked == ["shop.example"]
    assert receiver.posts[0].headers["host"] == f"shop.example:{receiver.server_port}"
