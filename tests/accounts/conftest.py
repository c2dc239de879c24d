import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from proj.accounts.cache import ForgivingRedisCache
from tests.accounts.people import confirmed
from tests.factories import make_user


@pytest.fixture(autouse=True)
def _nobody_has_tried_yet(monkeypatch) -> None:
    monkeypatch.setattr(ForgivingRedisCache, "_quiet_until", 0.0)
    cache.clear()


@pytest.fixture
def alice(db) -> User:
    """A customer with a confirmed address."""
    return confirmed(make_user("alice"))


@pytest.fixture
def browser(alice: User) -> Client:
    """A client in which alice is signed in."""
    client = Client()
    client.force_login(alice)
    return client
