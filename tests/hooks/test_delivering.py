"""One delivery, to a real receiver: taken, refused, slow, gone; by the delivery's own schedule."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.db import connection, transaction
from django.utils import timezone

from proj.accounts.models import Mail
from proj.hooks import delivering
from proj.hooks.delivering import AT_ONCE, DELAYS, GIVE_UP_AFTER, deliver
from proj.hooks.emitting import emit
from proj.hooks.endpoints import MAX_ENDPOINTS, OLD_SECRETS, create_endpoint, delete_endpoint, rotate_secret
from proj.hooks.models import Attempt, Endpoint, State
from proj.hooks.switching import switch_off_by_hand, switch_on
from proj.jobs import ledger
from proj.jobs.errors import Postponed
from proj.jobs.models import Job
from proj.jobs.testing import drain, run_job, without_broker
from tests.factories import make_user
from tests.hooks.receiver import answer

pytestmark = pytest.mark.django_db


def test_a_message_is_signed_as_the_specification_says(tell, receiver, made):
    delivery = tell(id="42")

    deliver(delivery.pk)

    (post,) = receiver.posts
    assert post.path == "/hooks?from=shop"
    assert post.id == delivery.event_id
    assert abs(int(post.headers["webhook-timestamp"]) - time.time()) < 5
    assert post.headers["content-type"] == "application/json"
    assert post.is_signed_with(made[1])
    assert not post.is_signed_with("whsec_c29tZWJvZHkgZWxzZSdz")
    assert post.event["data"] == {"id": "42"}


def test_what_was_taken_is_delivered_and_not_sent_again(tell, receiver):
    receiver.replies = [answer(202, b"thanks")]
    delivery = tell()

    deliver(delivery.pk)
    deliver(delivery.pk)

    delivery.refresh_from_db()
    assert (delivery.state, delivery.tries, delivery.leased_until) == (State.DELIVERED, 0, None)
    attempt = delivery.attempts.get()
    assert (attempt.status, attempt.error, attempt.answer) == (202, "", "thanks")
    assert attempt.milliseconds >= 0
    assert len(receiver.posts) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 429, 500, 503])
def test_any_other_answer_is_tried_again_later(tell, receiver, endpoint, status):
    receiver.replies = [answer(status, b"no", Location=receiver.url)]
    delivery = tell()

    with pytest.raises(Postponed, match=f"answered {status}") as postponed:
        deliver(delivery.pk)

    assert 5 <= postponed.value.seconds <= 5.5
    delivery.refresh_from_db()
    assert (delivery.state, delivery.tries) == (State.PENDING, 1)
    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.is_on) == (1, True)
    assert len(receiver.posts) == 1  # no redirect was followed


def test_a_receiver_that_is_away_is_tried_again_later(tell, receiver):
    receiver.server_close()
    delivery = tell()

    with pytest.raises(Postponed, match="connection failed"):
        deliver(delivery.pk)

    assert delivery.attempts.get().status is None
    # Refused; or reset, when the connection was made before the port was closed.
    assert delivery.attempts.get().error.startswith("The connection failed: ")


def test_a_receiver_may_ask_for_more_time_but_not_for_ever(tell, receiver):
    receiver.replies = [answer(503, Retry_After="120")]
    with pytest.raises(Postponed) as postponed:
        deliver(tell().pk)
    assert postponed.value.seconds == 120

    with time_machine.travel(timezone.now() + timedelta(minutes=10)):
        receiver.replies = [answer(429, Retry_After="99999999")]
        with pytest.raises(Postponed) as postponed:
            deliver(tell().pk)
        assert postponed.value.seconds == 24 * 3600


def test_one_job_follows_the_schedule_over_three_days_until_it_is_taken(tell, receiver):
    receiver.replies = [500] * 4
    delivery = tell()
    start = timezone.now()
    spans = []

    for tries in range(1, 5):
        assert _run_when_due(delivery).state != "SUCCESS"
        delivery.refresh_from_db()
        assert delivery.tries == tries
        spans.append((delivery.due_at - start).total_seconds())

    assert Job.objects.filter(task="hooks.deliver").count() == 1
    ran = _run_when_due(delivery)
    delivery.refresh_from_db()
    assert (ran.state, delivery.state) == ("SUCCESS", State.DELIVERED)
    assert {post.id for post in receiver.posts} == {delivery.event_id}
    floors = [5, 305, 2105, 9305]
    assert all(floor <= span <= floor * 1.1 + 30 for floor, span in zip(floors, spans, strict=True)), spans
    assert sum(DELAYS, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)


def _run_when_due(delivery):
    job = Job.objects.get(subject=f"delivery:{delivery.pk}")
    ledger.hasten([job.pk])  # its time is that of the database, which does not travel
    with time_machine.travel(delivery.due_at + timedelta(seconds=1)):
        return run_job(job)


def test_after_its_last_try_it_is_given_up_and_kept(tell, receiver, endpoint):
    delivery = tell()
    type(delivery).objects.update(tries=len(DELAYS))
    receiver.replies = [answer(500, b"out of order")]

    deliver(delivery.pk)

    delivery.refresh_from_db()
    assert delivery.state == State.FAILED
    assert delivery.error == "Tried 10 times. The endpoint answered 500."
    assert delivery.settled_at is not None
    endpoint.refresh_from_db()
    assert endpoint.is_on


def test_gone_switches_the_endpoint_off_and_its_owner_gets_a_mail(tell, receiver, endpoint, ann):
    others = [tell(), tell()]
    delivery = tell()
    receiver.replies = [410]

    deliver(delivery.pk)

    endpoint.refresh_from_db()
    assert not endpoint.is_on
    assert endpoint.disabled_because == "It answered 410 Gone, which means that it wants no more."
    for each in [delivery, *others]:
        each.refresh_from_db()
        assert (each.state, each.error) == (State.FAILED, "The endpoint was switched off.")
    posted = Mail.objects.get()
    assert posted.recipient == ann.email
    assert endpoint.url in posted.body
    assert "410 Gone" in posted.body
    assert "3 events that were on the way" in posted.body
    drain()
    assert [message.to for message in mail.outbox] == [[ann.email]]
    assert len(receiver.posts) == 1


def test_an_endpoint_that_fails_for_three_days_is_switched_off(tell, receiver, endpoint):
    receiver.replies = [500, 500]
    with pytest.raises(Postponed):
        deliver(tell().pk)
    endpoint.refresh_from_db()
    assert endpoint.failing_since is not None

    with time_machine.travel(endpoint.failing_since + GIVE_UP_AFTER):
        delivery = tell()
        deliver(delivery.pk)

    endpoint.refresh_from_db()
    delivery.refresh_from_db()
    assert (endpoint.is_on, delivery.state) == (False, State.FAILED)
    assert endpoint.disabled_because == "It has taken nothing for 3 days. The endpoint answered 500."
    assert Mail.objects.count() == 1


def test_one_that_takes_something_now_and_again_stays_on(tell, receiver, endpoint):
    receiver.replies = [500, 204, 500]
    start = timezone.now()
    for day in (0, 2, 4):
        with time_machine.travel(start + timedelta(days=day)), suppress(Postponed):
            deliver(tell().pk)

    endpoint.refresh_from_db()
    assert endpoint.is_on
    assert endpoint.failing_since == pytest.approx(start + timedelta(days=4), abs=timedelta(minutes=1))
    assert not Mail.objects.exists()


def test_an_endpoint_that_has_just_failed_is_left_alone(tell, receiver, endpoint):
    receiver.replies = [500]
    with pytest.raises(Postponed):
        deliver(tell().pk)

    second = tell()
    with pytest.raises(Postponed, match="just failed"):
        deliver(second.pk)

    assert len(receiver.posts) == 1
    second.refresh_from_db()
    assert second.tries == 0


def test_requests_at_a_time_are_few_for_all_endpoints_of_a_person(tell, receiver, ann):
    slow, other = [tell(), tell()], tell()
    for delivery in slow:
        delivering._begin(delivery.pk)

    with pytest.raises(Postponed, match="Others are before it"):
        deliver(other.pk)

    assert receiver.posts == []
    elsewhere, _ = create_endpoint(make_user(), receiver.url, ["order.paid"])
    deliver(_copy(other, elsewhere).pk)
    assert len(receiver.posts) == 1


@pytest.mark.django_db(transaction=True)
def test_requests_at_a_time_are_few_also_when_all_endpoints_of_a_person_begin_in_the_same_moment(
    ann, receiver
):
    together = threading.Barrier(MAX_ENDPOINTS)
    endpoints = [create_endpoint(ann, receiver.url, ["order.paid"])[0] for _ in range(MAX_ENDPOINTS)]
    with without_broker(), transaction.atomic():
        emit(ann.pk, "order.paid", {}, key="test:0", at=timezone.now())

    def begin(endpoint: Endpoint) -> bool:
        try:
            delivery = endpoint.deliveries.get()
            together.wait()
            return delivering._begin(delivery.pk) is not None
        except Postponed:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(MAX_ENDPOINTS) as threads:
        begun = list(threads.map(begin, endpoints))

    assert sum(begun) == AT_ONCE


def _copy(delivery, endpoint):
    return endpoint.deliveries.create(event_id="msg_1", kind=delivery.kind, body=delivery.body)


def test_what_is_being_sent_is_not_sent_beside_itself(tell, receiver):
    delivery = tell()
    assert delivering._begin(delivery.pk) is not None

    with pytest.raises(Postponed, match="being sent"):
        deliver(delivery.pk)

    assert receiver.posts == []
    assert Attempt.objects.count() == 1


def test_both_secrets_sign_while_one_replaces_the_other(tell, receiver, made):
    endpoint, old = made
    new = rotate_secret(endpoint)
    deliver(tell().pk)

    assert receiver.posts[0].is_signed_with(old)
    assert receiver.posts[0].is_signed_with(new)
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        deliver(tell().pk)
    assert not receiver.posts[1].is_signed_with(old)
    assert receiver.posts[1].is_signed_with(new)


def test_a_secret_whose_answer_was_lost_is_replaced_once_more_and_the_receiver_goes_on_with_its_own(
    tell, receiver, made
):
    endpoint, old = made
    rotated = [rotate_secret(endpoint) for _ in range(OLD_SECRETS)]
    deliver(tell().pk)
    assert all(receiver.posts[0].is_signed_with(secret) for secret in (old, *rotated))

    newest = rotate_secret(endpoint)
    deliver(tell().pk)

    assert receiver.posts[1].is_signed_with(newest)
    assert not receiver.posts[1].is_signed_with(old)


def test_a_secret_that_leaked_ends_at_once(tell, receiver, made):
    endpoint, old = made
    rotate_secret(endpoint)
    new = rotate_secret(endpoint, overlap=timedelta(0))

    deliver(tell().pk)

    assert not receiver.posts[0].is_signed_with(old)
    assert receiver.posts[0].is_signed_with(new)


def test_without_the_key_of_its_secret_a_delivery_waits_and_nobody_is_to_blame(
    tell, receiver, endpoint, settings
):
    delivery, key = tell(), settings.SECRET_KEY
    settings.SECRET_KEY = "another"

    with pytest.raises(Postponed, match="SECRET_KEY_FALLBACKS"):
        deliver(delivery.pk)

    delivery.refresh_from_db()
    endpoint.refresh_from_db()
    assert (receiver.posts, delivery.tries, delivery.leased_until, endpoint.failures) == ([], 0, None, 0)
    assert not Attempt.objects.exists()
    settings.SECRET_KEY_FALLBACKS = [key]
    deliver(delivery.pk)
    assert len(receiver.posts) == 1


def test_an_endpoint_that_is_off_gets_nothing(tell, receiver, endpoint):
    delivery = tell()
    switch_off_by_hand(endpoint.pk, "You have switched it off.")

    deliver(delivery.pk)

    delivery.refresh_from_db()
    assert (receiver.posts, delivery.state) == ([], State.FAILED)
    assert not Mail.objects.exists()  # it was their own doing
    assert switch_on(endpoint.pk)
    assert not switch_on(endpoint.pk)
    deliver(tell().pk)
    assert len(receiver.posts) == 1


def test_one_written_while_its_endpoint_was_switched_off_is_given_up(tell, receiver, endpoint):
    delivery = tell()
    type(endpoint).objects.update(disabled_at=timezone.now())

    deliver(delivery.pk)

    delivery.refresh_from_db()
    assert (receiver.posts, delivery.state, delivery.error) == (
        [],
        State.FAILED,
        "The endpoint is switched off.",
    )


def test_a_deleted_endpoint_gets_nothing(tell, receiver, endpoint):
    delivery = tell()
    delete_endpoint(endpoint)

    deliver(delivery.pk)

    endpoint.refresh_from_db()
    assert (receiver.posts, endpoint.owner, endpoint.secret) == ([], None, "")


def test_what_was_given_up_while_it_was_being_sent_may_turn_out_to_be_taken(tell, receiver, endpoint):
    delivery = tell()

    ours = delivering._begin(delivery.pk)
    switch_off_by_hand(endpoint.pk, "Enough.")
    delivering._settle(ours.attempt, delivering.sending.post(ours.url, ours.body, ours.headers))

    delivery.refresh_from_db()
    assert (delivery.state, delivery.error) == (State.DELIVERED, "")


def test_a_delivery_that_is_not_there_is_nobodys(db):
    deliver(404)
