from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.orders.payments.faults.world import World


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.chaos)
            item.add_marker(pytest.mark.django_db)  # so that the test database is made
            item.add_marker(pytest.mark.xdist_group("payment faults"))


@pytest.fixture
def _django_db_helper() -> None:
    """No transaction around a test, and no tables emptied after it: other processes are working on them."""


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[World]:
    with django_db_blocker.unblock():
        world = World(tmp_path_factory.mktemp("faults"))
        try:
            yield world
        finally:
            world.close()
