"""The only way to the payment provider: not while staff have paused it, not while it is down, and not too often.

None of these is the fault of the job that comes: it is postponed, which is none of its tries. Read from the database:
one row for each call, so that what staff change holds from the next call on.
"""

import math
import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.conf import settings

from orders.payments import breaker, rate
from orders.payments.gateway import Declined, Misconfigured, PaymentGateway, Unavailable, Unknown
from orders.payments.models import Provider
from orders.payments.stripe import StripeGateway
from proj.jobs.errors import Postponed

T = TypeVar("T")

NAME = "stripe"
#: Seconds between looks of a job while payments are paused, and as much again by chance.
PAUSED_FOR = 30.0
#: Seconds that a job waits in its worker for room in the rate. At 80 calls a second room comes every 12 ms, and putting
#: a job back and claiming it again costs more than that: of 2,000 jobs at once, 7 were put back. Longer would keep
#: other calls to the outside, such as mail, from their worker.
PATIENCE = 0.5


def through(what: Callable[[PaymentGateway], T], *, wait: bool = False) -> T:
    """Ask the provider, if it may be asked now. No transaction may be open.

    Args:
        what: the question: calls one method of the gateway. For a long list make the iterator first, and read each
            page through here: `through(lambda _: list(islice(payments, 100)))`.
        wait: whether to wait for room in the rate however long it takes, for somebody at a terminal.

    Raises:
        Postponed: not now; nothing has been asked.
        Exception: what the question raises.
    """
    state = provider()
    if state.paused:
        raise Postponed(PAUSED_FOR * _chance(), "Payments are paused for the moment.")
    breaker.refuse_if_open(state)
    _take_turn(state, patience=math.inf if wait else PATIENCE)
    permit = breaker.admit(state)
    try:
        answer = what(gateway())
    except (Unknown, Unavailable) as error:
        if isinstance(error, Unknown) and error.answered:
            breaker.note_answer(permit)
        else:
            breaker.note_silence(permit, error.detail)
        raise
    except (Declined, Misconfigured):
        breaker.note_answer(permit)
        raise
    breaker.note_answer(permit)
    return answer


def provider() -> Provider:
    """How the provider is to be treated, and how it is doing: as the database has it now."""
    state, _ = Provider.objects.get_or_create(name=NAME)
    return state


def gateway() -> PaymentGateway:
    """The provider itself. It costs nothing to make: what is worth keeping is kept by it."""
    return StripeGateway(settings.STRIPE_API_KEY, settings.STRIPE_API_BASE)


def _take_turn(state: Provider, *, patience: float) -> None:
    give_up_at = time.monotonic() + patience
    while (room_in := rate.take(state.name, per_second=breaker.pace(state))) > 0:
        if time.monotonic() + room_in > give_up_at:
            raise Postponed(room_in * _chance(), "The payment provider is busy. We will ask again.")
        time.sleep(room_in)


def _chance() -> float:
    """From 1 to 2: those that are turned away together do not come back together."""
    return 1 + random.random()  # noqa: S311  not a secret
