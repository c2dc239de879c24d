"""A process that is killed at each point: the delivery is never lost, and sent twice at most, under one id."""

import os
import signal
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from proj.hooks.delivering import POINTS, deliver
from proj.hooks.models import Delivery, State
from proj.jobs import failpoints
from proj.jobs.errors import Postponed
from proj.jobs.testing import without_broker

pytestmark = pytest.mark.django_db(transaction=True)

#: How often the receiver has had it in the end.
TIMES = {"hook:begun": 1, "hook:sent": 2, "hook:settled": 1}


def killed_at(point: str, delivery: Delivery) -> None:
    """Deliver in a process of its own, which is killed at a point."""
    connection.close()
    child = os.fork()
    if child == 0:
        failpoints.arm(lambda name: os.kill(os.getpid(), signal.SIGKILL) if name == point else None)
        deliver(delivery.pk)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("point", POINTS)
def test_a_process_that_is_killed_loses_nothing(tell, receiver, point):
    with without_broker():
        delivery = tell()

    killed_at(point, delivery)

    delivery.refresh_from_db()
    if point != "hook:settled":
        assert delivery.state == State.PENDING
        with pytest.raises(Postponed, match="its process has died"):  # until the lease runs out
            deliver(delivery.pk)
        Delivery.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    deliver(delivery.pk)

    delivery.refresh_from_db()
    assert (delivery.state, delivery.leased_until) == (State.DELIVERED, None)
    assert [post.id for post in receiver.posts] == [delivery.event_id] * TIMES[point]
    assert [bool(attempt.finished_at) for attempt in delivery.attempts.all()] == (
        [True] if point == "hook:settled" else [False, True]
    )


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_failure_that_was_settled_keeps_its_time_when_the_process_is_killed(tell, receiver):
    receiver.replies = [500]
    with without_broker():
        delivery = tell()

    killed_at("hook:settled", delivery)

    with pytest.raises(Postponed, match="has its time"):
        deliver(delivery.pk)
    assert len(receiver.posts) == 1
