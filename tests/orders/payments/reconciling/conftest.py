from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from orders.payments.models import Incident, Provider
from orders.payments.reconciling import Report, Window, reconcile
from proj.jobs.testing import without_broker
from tests.orders.payments.reconciling.shop import Shop
from tests.sandbox import KEY, Sandbox

BOOKS = ("refunds", "charges", "intents", "answers", "deliveries", "events", "promises")


@pytest.fixture(scope="session")
def process(tmp_path_factory) -> Iterator[Sandbox]:
    """A provider for the tests of reconciliation, which look at everything that it has."""
    sandbox = Sandbox(tmp_path_factory.mktemp("reconciling"))
    sandbox.start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def provider(process, settings) -> Sandbox:
    """The provider with empty books."""
    for table in BOOKS:
        process.write_books(f"DELETE FROM {table}")  # noqa: S608
    settings.STRIPE_API_KEY, settings.STRIPE_API_BASE = KEY, process.url
    return process


@pytest.fixture
def shop(provider, waiting, transactional_db) -> Iterator[Shop]:
    """A shop whose jobs are run by hand, and which may ask as often as it likes."""
    Provider.objects.update_or_create(name="stripe", defaults={"calls_per_second": 1_000_000})
    with without_broker():
        yield Shop(provider)


@pytest.fixture
def run() -> Callable[..., Report]:
    """Reconcile the last three days, as if everything had happened an hour ago."""

    def run(*, minutes_later: int = 60, **options) -> Report:
        with time_machine.travel(timezone.now() + timedelta(minutes=minutes_later)):
            return reconcile(Window.reaching_back(timedelta(days=3)), **options)

    return run


@pytest.fixture
def incidents() -> Callable[[], list[tuple[str, str]]]:
    """Kind and fingerprint of every open incident."""
    return lambda: sorted(Incident.objects.filter(closed_at=None).values_list("kind", "fingerprint"))
