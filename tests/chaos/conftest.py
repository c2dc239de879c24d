"""A stage for each module of tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.stage import Stage

#: Every scenario, and more of everything; else those that stand for the others.
LONG = os.environ.get("CHAOS") == "long"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.chaos)
            item.add_marker(pytest.mark.django_db)  # so that the test database is made
            item.add_marker(pytest.mark.xdist_group("chaos"))
            item.add_marker(pytest.mark.timeout(400))
            if item.get_closest_marker("long") and not LONG:
                item.add_marker(pytest.mark.skip(reason="of the long form: make chaos"))


@pytest.fixture
def _django_db_helper() -> None:
    """No transaction around a test, and no tables emptied after it: the processes of the stage are working on them."""


@pytest.fixture(scope="module")
def stage(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[Stage]:
    with django_db_blocker.unblock():
        stage = Stage(tmp_path_factory.mktemp("chaos"))
        try:
            yield stage
        finally:
            stage.close()
