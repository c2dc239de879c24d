"""Which addresses may be called: people choose them, and our network has doors that are open to those inside.

The address of a host is looked up once, judged, and then connected to as it was judged. To look it up again for the connection
would let a name that was public a moment ago lead inside (DNS rebinding).
"""

import ipaddress
import re
import socket
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings

DEFAULT_PORTS = {"https": 443, "http": 80}
#: Below this only the ports of the web: what listens there is mail and its like, which would take a request for commands.
FIRST_FREE_PORT = 1024
#: All that is public in IPv6 is in here; what is local, or says that it is IPv4, is not.
PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")


class NotAllowed(ValueError):  # noqa: N818
    """The address may not be called; its words are for the person who gave it."""


class Target(NamedTuple):
    """A URL, taken apart."""

    scheme: str
    host: str
    port: int
    path: str  # with the query


class Found(NamedTuple):
    """One address of a host, as `socket.connect` takes it."""

    family: int
    address: Any


def parse(url: str) -> Target:
    """Take a URL apart, without asking anybody.

    Raises:
        NotAllowed: it is none, or one that will not be called whatever its name leads to.
    """
    if not re.fullmatch(r"[\x21-\x7e]+", url):
        raise NotAllowed("An address has only ASCII characters, and no spaces.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise NotAllowed("This is not a web address.") from error
    if parts.scheme not in _schemes() or not parts.hostname:
        raise NotAllowed(f"An address begins with {' or '.join(f'{scheme}://' for scheme in _schemes())}.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise NotAllowed("An address has no user name, password or fragment (#) in it.")
    port = DEFAULT_PORTS[parts.scheme] if port is None else port
    if not _is_free(port):
        raise NotAllowed("The port is 443, 80, or one from 1024 on.")
    target = Target(parts.scheme, parts.hostname, port, parts._replace(scheme="", netloc="").geturl() or "/")
    _refuse_literal(target.host)
    return target


def resolve(target: Target) -> list[Found]:
    """Look a host up, and return its addresses.

    Raises:
        OSError: it has none.
        NotAllowed: one of them is not public.
    """
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    for _family, _type, _protocol, _name, address in found:
        if not is_allowed(str(address[0])):
            raise NotAllowed("Its host leads to an address that is not public.")
    return [Found(family, address) for family, _type, _protocol, _name, address in found]


def is_allowed(address: str) -> bool:
    """Whether an IP address may be connected to: it is public, or this is a machine for development."""
    return settings.HOOKS_ALLOW_PRIVATE or _is_public(ipaddress.ip_address(address))


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast
    if address not in PUBLIC_V6 or address.teredo is not None:
        return False
    inside = address.sixtofour  # a tunnel to an address of IPv4
    return address.is_global and (inside is None or _is_public(inside))


def _refuse_literal(host: str) -> None:
    """A person who types an address gets the answer at once. Whatever else leads there is found when it is called."""
    try:
        is_good = is_allowed(host)
    except ValueError:
        is_good = settings.HOOKS_ALLOW_PRIVATE or host.rstrip(".") != "localhost"
    if not is_good:
        raise NotAllowed("The address is not public: we could not reach it from here.")


def _schemes() -> tuple[str, ...]:
    return ("https", "http") if settings.HOOKS_ALLOW_PRIVATE else ("https",)


def _is_free(port: int) -> bool:
    return port in DEFAULT_PORTS.values() or port >= FIRST_FREE_PORT or settings.HOOKS_ALLOW_PRIVATE
