from datetime import timedelta

import pytest
from django.utils import timezone

from orders.payments.models import EventState, WebhookEvent
from orders.payments.retention import EVENTS_KEPT, purge_events
from proj.jobs.retention import registered

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def make_event(number: int, *, age: timedelta, is_settled: bool = True) -> WebhookEvent:
    return WebhookEvent.objects.create(
        provider="stripe",
        event_id=f"evt_{number}",
        kind="payment_intent.succeeded",
        payload={},
        state=EventState.PROCESSED if is_settled else EventState.RECEIVED,
        created_at=NOW - age,
        received_at=NOW - age,
        settled_at=NOW - age if is_settled else None,
    )


def test_the_nightly_clean_up_knows_of_webhooks():
    assert registered()["webhooks"] is purge_events


def test_settled_events_of_ninety_days_ago_are_deleted():
    make_event(1, age=EVENTS_KEPT + timedelta(seconds=1))
    recent = make_event(2, age=EVENTS_KEPT - timedelta(seconds=1))
    assert purge_events(10, NOW) == 1
    assert WebhookEvent.objects.get() == recent


def test_an_event_of_which_nothing_has_come_yet_is_kept():
    make_event(1, age=EVENTS_KEPT * 2, is_settled=False)
    assert purge_events(10, NOW) == 0
    assert WebhookEvent.objects.count() == 1


def test_no_more_are_deleted_at_once_than_are_asked_for_the_oldest_first():
    for number in range(5):
        make_event(number, age=EVENTS_KEPT + timedelta(days=number + 1))
    assert purge_events(2, NOW) == 2
    assert {event.event_id for event in WebhookEvent.objects.all()} == {"evt_0", "evt_1", "evt_2"}
    assert purge_events(10, NOW) == 3
