"""Processes that die on the way of an event, and many that come to the same one."""

import pytest
from django.test import Client

from orders.payments import processing
from orders.payments.models import EventState, JournalEntry, WebhookEvent
from proj.jobs import failpoints
from proj.jobs.testing import drain, enqueued
from tests.orders.payments.signed import deliver, event
from tests.orders.payments.told import TASK, begin, pay, secret, stripe, times_paid

__all__ = ["secret", "stripe"]

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """What a process that is killed does not survive either: nothing catches it, and the transaction is lost."""


def killed_at(point: str):
    def strike(name: str) -> None:
        if name == point:
            failpoints.arm(None)
            raise Killed

    failpoints.arm(strike)


def test_an_event_whose_receiver_dies_is_not_stored_and_comes_again(order, stripe):
    begin(order)
    document = event("payment_intent.succeeded", pay(stripe, order))
    killed_at("event:stored")
    with pytest.raises(Killed):
        deliver(Client(), document)
    assert WebhookEvent.objects.count() == 0
    assert enqueued(TASK) == []
    assert deliver(Client(), document).content == b"received\n"
    drain()
    assert times_paid(order) == 1


def test_an_event_whose_worker_dies_is_settled_by_the_next_run(order, stripe):
    begin(order)
    deliver(Client(), event("payment_intent.succeeded", pay(stripe, order)))
    stored = WebhookEvent.objects.get()
    for point in ("event:fetched", "payment:settled"):
        killed_at(point)
        with pytest.raises(Killed):
            processing.process_event(stored.pk, is_last_try=False)
        assert times_paid(order) == 0
    assert processing.process_event(stored.pk, is_last_try=False) == EventState.PROCESSED
    assert times_paid(order) == 1
    assert JournalEntry.objects.count() == 1


def test_an_event_that_comes_ten_times_at_once_is_processed_once(order, stripe, at_once):
    begin(order)
    document = event("payment_intent.succeeded", pay(stripe, order))
    answers = at_once([lambda: deliver(Client(), document)] * 10)
    assert [answer.status_code for answer in answers] == [200] * 10
    assert [ran.state for ran in drain() if ran.task == TASK] == ["SUCCESS"]
    order.refresh_from_db()
    assert times_paid(order) == 1
    assert JournalEntry.objects.count() == 1


def test_an_event_that_is_processed_many_times_at_once_settles_once(order, stripe, at_once):
    begin(order)
    assert deliver(Client(), event("payment_intent.succeeded", pay(stripe, order))).status_code == 200
    stored = WebhookEvent.objects.get()
    outcomes = at_once([lambda: processing.process_event(stored.pk, is_last_try=False)] * 10)
    assert outcomes == [EventState.PROCESSED] * 10
    assert times_paid(order) == 1
    assert JournalEntry.objects.count() == 1
