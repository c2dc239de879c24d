"""Questions to the provider that need no provider, and the state that the gate keeps of it."""

from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone

from orders.payments import gate
from orders.payments.gateway import Unknown
from orders.payments.models import Provider

NOT_REACHED = Unknown("no connection")


def raising(error: Exception):
    """A question whose answer is this error."""

    def ask(gateway):
        raise error

    return ask


def fail(times: int, error: Exception = NOT_REACHED) -> None:
    for _ in range(times):
        with pytest.raises(type(error)):
            gate.through(raising(error))


def answer(gateway) -> str:
    return "an answer"


@pytest.fixture(autouse=True)
def state(monkeypatch) -> Provider:
    """A provider that nobody has called in the last second; it counts as down after three calls."""
    monkeypatch.setattr(gate, "NAME", f"stripe-{uuid4().hex[:20]}")
    return Provider.objects.create(name=gate.NAME, opens_after=3)


@pytest.fixture
def frozen():
    """The clock stands still: however slow the machine is, everything happens within one second."""
    with time_machine.travel(timezone.now(), tick=False) as clock:
        yield clock
