"""A web server as it is started in earnest, on the test database, and clients that listen to its events."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection

from proj.api.models import Token
from tests.chaos.proxy import Proxy
from tests.factories import make_user
from tests.live.clients import Listener
from tests.live.server import Server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and "serve" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.workers)
            item.add_marker(pytest.mark.django_db(transaction=True))
            item.add_marker(pytest.mark.xdist_group("live"))


@pytest.fixture
def database() -> Iterator[Proxy]:
    """The web server's way to the database, which a test may cut."""
    address = urlsplit(settings.DATABASE_URL)
    with Proxy(address.hostname or "127.0.0.1", address.port or 5432) as proxy:
        yield proxy


@pytest.fixture
def serve(database: Proxy, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a web server with so many processes, streams for each process, and of these for each person; ``off`` names a guard to leave out."""
    address = urlsplit(settings.DATABASE_URL)
    credentials = address.netloc.rpartition("@")[0]
    url = address._replace(
        netloc=f"{credentials}@127.0.0.1:{database.port}", path=f"/{connection.settings_dict['NAME']}"
    )
    with ExitStack() as stack:

        def start(*, workers: int = 1, streams: int = 40, each: int = 6, off: str = "") -> Server:
            environment = {
                "DATABASE_URL": urlunsplit(url),
                "VAR_DIR": str(tmp_path),
                "DEBUG": "1",
                "LIVE_STREAMS_EACH": str(each),
            }
            return stack.enter_context(Server(tmp_path, environment, workers, streams, off))

        yield start


@pytest.fixture
def shopper(transactional_db) -> User:
    return make_user("shopper")


@pytest.fixture
def token(shopper: User) -> str:
    return Token.issue(shopper)[1]


@pytest.fixture
def listen(token: str) -> Iterator[Callable[..., Listener]]:
    """Follow something at an address, as the shopper; every listener is closed in the end."""
    with ExitStack() as stack:

        def start(url: str, seen: str = "") -> Listener:
            return stack.enter_context(Listener(url, token, seen))

        yield start
