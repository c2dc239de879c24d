"""Sending again: one, all that failed, and what has lost its job."""

from datetime import timedelta

import pytest
from django.utils import timezone

from proj.hooks import kinds
from proj.hooks.models import Delivery, State
from proj.hooks.replaying import MOURNED, SwitchedOff, ping, replay_delivery, replay_failed, resume_waiting
from proj.hooks.switching import switch_off_by_hand
from proj.jobs.models import Job
from proj.jobs.testing import assert_enqueued, drain

pytestmark = pytest.mark.django_db


def failed(tell, count=1, **fields):
    """Deliveries that were given up, and no job for them."""
    deliveries = [tell() for _ in range(count)]
    Job.objects.all().delete()
    chosen = Delivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries])
    chosen.update(
        **{"state": State.FAILED, "error": "Why.", "tries": 10, "settled_at": timezone.now(), **fields}
    )
    return deliveries


def test_one_that_was_given_up_is_sent_again_with_all_its_tries(tell, receiver):
    (delivery,) = failed(tell)

    replay_delivery(delivery)

    delivery.refresh_from_db()
    assert (delivery.state, delivery.tries, delivery.error, delivery.settled_at) == (
        State.PENDING,
        0,
        "",
        None,
    )
    drain()
    delivery.refresh_from_db()
    assert delivery.state == State.DELIVERED
    assert [post.id for post in receiver.posts] == [delivery.event_id]


def test_one_that_was_delivered_may_be_sent_again_under_its_id(tell, receiver):
    delivery = tell()
    drain()

    replay_delivery(delivery)
    drain()

    assert [post.id for post in receiver.posts] == [delivery.event_id] * 2
    assert delivery.attempts.count() == 2


def test_a_second_click_sends_it_once(tell, receiver):
    (delivery,) = failed(tell)

    replay_delivery(delivery)
    replay_delivery(delivery)
    drain(ahead=True)

    assert len(receiver.posts) == 1


def test_replaying_ends_the_quiet_after_a_failure(tell, receiver, endpoint):
    receiver.replies = [500]
    delivery = tell()
    drain()

    replay_delivery(delivery)
    drain()

    assert len(receiver.posts) == 2


def test_all_that_failed_since_a_moment_is_sent_again(tell, receiver, endpoint):
    earlier = failed(tell, 2, created_at=timezone.now() - timedelta(days=2))
    later = failed(tell, 3)
    delivered = tell()
    drain()
    receiver.posts.clear()

    assert replay_failed(endpoint, since=timezone.now() - timedelta(days=1)) == 3
    assert_enqueued("hooks.resume_waiting")
    drain(ahead=True)

    assert {post.id for post in receiver.posts} == {delivery.event_id for delivery in later}
    assert endpoint.deliveries.failed().count() == 2
    assert replay_failed(endpoint) == 2
    drain(ahead=True)
    assert len(receiver.posts) == 5
    assert {post.id for post in receiver.posts} == {delivery.event_id for delivery in later + earlier}
    assert delivered.event_id not in {post.id for post in receiver.posts}


def test_nothing_to_replay_owes_no_job(endpoint):
    assert replay_failed(endpoint) == 0
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "call", [replay_delivery, lambda d: replay_failed(d.endpoint), lambda d: ping(d.endpoint)]
)
def test_nothing_is_sent_to_an_endpoint_that_is_off(tell, endpoint, call):
    (delivery,) = failed(tell)
    switch_off_by_hand(endpoint.pk, "Enough.")

    with pytest.raises(SwitchedOff):
        call(delivery)

    delivery.refresh_from_db()
    assert delivery.state == State.FAILED
    assert Delivery.objects.count() == 1
    assert not Job.objects.exists()


def test_what_has_lost_its_job_gets_another(tell, receiver):
    lost, owed, later = tell(), tell(), tell()
    Job.objects.exclude(subject=f"delivery:{owed.pk}").delete()
    Delivery.objects.filter(pk=later.pk).update(due_at=timezone.now() + timedelta(hours=1))

    assert resume_waiting() == 1
    assert resume_waiting() == 0

    assert sorted(Job.objects.values_list("subject", flat=True)) == sorted(
        [f"delivery:{lost.pk}", f"delivery:{owed.pk}"]
    )


def test_one_whose_job_is_dead_gets_another_within_the_hour_and_not_one_with_each_sweep(tell):
    tell()
    Job.objects.update(state="dead")
    assert resume_waiting() == 0

    Job.objects.update(created_at=timezone.now() - MOURNED)

    assert resume_waiting() == 1
    Job.objects.update(state="dead")
    assert resume_waiting() == 0


def test_many_that_wait_are_taken_in_turns(tell):
    for _ in range(3):
        tell()
    Job.objects.all().delete()

    assert resume_waiting(limit=2) == 2
    assert_enqueued("hooks.resume_waiting")
    assert resume_waiting(limit=2) == 1
    assert Job.objects.filter(task="hooks.deliver").count() == 3


def test_a_ping_is_an_event_that_nobody_subscribed_to(endpoint, receiver):
    delivery = ping(endpoint)
    drain()

    (post,) = receiver.posts
    assert (post.id, post.event["type"]) == (delivery.event_id, kinds.PING)
