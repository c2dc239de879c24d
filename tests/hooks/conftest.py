from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.utils import timezone

from proj.hooks.emitting import emit
from proj.hooks.endpoints import create_endpoint
from proj.hooks.models import Delivery, Endpoint
from tests.factories import make_user
from tests.hooks.receiver import Receiver, receiving


@pytest.fixture(autouse=True)
def _on_this_machine(settings) -> None:
    """Receivers of tests are not public."""
    settings.HOOKS_ALLOW_PRIVATE = True


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


@pytest.fixture
def ann(db) -> User:
    return make_user("ann")


@pytest.fixture
def browser(ann: User) -> Client:
    client = Client()
    client.force_login(ann)
    return client


@pytest.fixture
def made(ann: User, receiver: Receiver) -> tuple[Endpoint, str]:
    """An endpoint of ann's that leads to the receiver, with its secret."""
    return create_endpoint(ann, receiver.url, ["order.paid", "order.cancelled"], description="Till 3")


@pytest.fixture
def endpoint(made: tuple[Endpoint, str]) -> Endpoint:
    return made[0]


@pytest.fixture
def tell(endpoint: Endpoint) -> Callable[..., Delivery]:
    """Return a function that emits an event of ann's and returns its delivery to the endpoint."""
    numbers = iter(range(10_000))

    def emit_one(kind: str = "order.paid", **data: Any) -> Delivery:
        with transaction.atomic():
            emit(endpoint.owner_id, kind, data, key=f"test:{next(numbers)}", at=timezone.now())
        return endpoint.deliveries.order_by("pk").last()

    return emit_one
