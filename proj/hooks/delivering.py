"""Sending one delivery: at least once, whatever dies.

The try is committed before the request, and its outcome after it; no transaction is open meanwhile. When everything stops

    before the request             the lease runs out, and the next run sends it
    during or after the request,   the same: it is sent again, under the same webhook-id, by which the receiver
      before the outcome             recognises it. This window cannot be closed without the receiver's help.
    after the outcome              the next run finds it delivered; or that its next try has its time, and waits for it

A failure is not the job's: the job goes back to the ledger until the next try (`Postponed`), by the schedule of the
delivery. So one job sees a delivery to its end.
"""

import random
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.fernet import InvalidToken
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from proj.hooks import sending
from proj.hooks.models import Attempt, Delivery, Endpoint, State
from proj.hooks.sending import Answer
from proj.hooks.signing import signature_headers
from proj.hooks.switching import switch_off
from proj.jobs.errors import Postponed
from proj.jobs.failpoints import failpoint

#: Where the tests of faults may kill a process, in the order in which it passes.
POINTS = (
    "hook:begun",  # the try is committed; nothing has been sent
    "hook:sent",  # the endpoint has answered; nothing is settled
    "hook:settled",  # the outcome is committed; the job is not finished
)
#: Between tries: the schedule that Standard Webhooks recommends, 75 h in all.
DELAYS = tuple(timedelta(seconds=s) for s in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400))
#: An endpoint that has taken nothing for so long is switched off.
GIVE_UP_AFTER = timedelta(days=3)
#: Longer than a request: 15 s, and looking up a name takes a resolver up to 30 s.
LEASE = timedelta(seconds=60)
#: A receiver may ask for a later try, but not for one that never comes.
LONGEST_WAIT = timedelta(days=1)
#: Requests at a time to the endpoints of one person: everybody's share eight threads (`proj.queues`).
AT_ONCE = 2
#: How many deliveries such a person's endpoint is thought to take in a second, to guess when it is a waiting one's turn.
TURNS_PER_SECOND = 20
#: An endpoint that fails is left alone for 2, 4, 8... seconds, at most 5 min: others need the threads that it would hold.
LONGEST_QUIET = timedelta(minutes=5)
#: A mistake in our settings is looked for again after so long.
MENDED_WITHIN = timedelta(minutes=5)
#: Clocks of hosts differ by so much; a delivery that is due within it is due.
SKEW = timedelta(seconds=1)


@dataclass(frozen=True)
class Try:
    """One try, committed, with all it takes to make it."""

    attempt: Attempt
    url: str
    body: bytes
    headers: dict[str, str]


def deliver(delivery_id: int) -> None:
    """Send a delivery if it is its turn, and settle it by the answer. May run any number of times, late or concurrently.

    Raises:
        Postponed: it is not its turn yet, or it was sent in vain and is to be tried again.

    """
    ours = _begin(delivery_id)
    if ours is None:
        return
    failpoint("hook:begun")
    answer = sending.post(ours.url, ours.body, ours.headers)
    failpoint("hook:sent")
    again = _settle(ours.attempt, answer)
    failpoint("hook:settled")
    if again is not None:
        raise again


def _begin(delivery_id: int) -> Try | None:
    """Write down that it is tried now; None when there is nothing to send any more."""
    with transaction.atomic(durable=True):
        endpoint = Endpoint.objects.locked().filter(deliveries=delivery_id).first()
        delivery = Delivery.objects.pending().filter(pk=delivery_id).first()
        if endpoint is None or delivery is None:
            return None
        now = timezone.now()
        if not endpoint.is_on:  # it was switched off while this was being written
            _end(delivery, State.FAILED, now, error="The endpoint is switched off.")
            return None
        _wait_for_its_turn(endpoint, delivery, now)
        delivery.leased_until = now + LEASE
        delivery.save(update_fields=["leased_until"])
        body = delivery.body.encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Corner-Shop-Webhooks/1",
            **signature_headers(_keys(endpoint, now), delivery.event_id, int(time.time()), body),
        }
        return Try(Attempt.objects.create(delivery=delivery, started_at=now), endpoint.url, body, headers)


def _keys(endpoint: Endpoint, now: datetime) -> list[bytes]:
    try:
        return endpoint.secrets(now)
    except InvalidToken as error:  # our own mistake: neither the delivery nor the endpoint is to blame
        raise _later(
            MENDED_WITHIN, "Its secret is under a SECRET_KEY that SECRET_KEY_FALLBACKS does not name."
        ) from error


def _wait_for_its_turn(endpoint: Endpoint, delivery: Delivery, now: datetime) -> None:
    """Raise Postponed if a delivery may not be sent now."""
    if delivery.leased_until is not None and delivery.leased_until > now:
        raise _later(delivery.leased_until - now, "It is being sent, or its process has died.")
    if delivery.due_at > now + SKEW:
        raise _later(delivery.due_at - now, "Its next try has its time.")
    if endpoint.quiet_until is not None and endpoint.quiet_until > now:
        raise _later((endpoint.quiet_until - now) * random.uniform(1, 2), "Its endpoint has just failed.")  # noqa: S311
    # Begun at the same moment, two endpoints of one person count one after the other.
    User.objects.select_for_update(of=("self",), no_key=True).get(webhook_endpoints=endpoint)
    under_way = Delivery.objects.filter(endpoint__owner=endpoint.owner_id, leased_until__gt=now).count()
    if under_way >= (1 if endpoint.failures else AT_ONCE):
        before = endpoint.deliveries.pending().count() / TURNS_PER_SECOND
        raise _later(timedelta(seconds=(1 + before) * random.uniform(0.5, 1.5)), "Others are before it.")  # noqa: S311


def _settle(attempt: Attempt, answer: Answer) -> Postponed | None:
    """Write down what came of a try, and what follows; returns until when the job is to wait, if it is not done."""
    with transaction.atomic(durable=True):
        endpoint = Endpoint.objects.locked().filter(deliveries=attempt.delivery_id).first()
        if endpoint is None:
            return None  # it was purged meanwhile, and all its deliveries with it
        now = timezone.now()
        attempt.finished_at, attempt.status = now, answer.status
        attempt.error, attempt.answer = answer.error[:300], answer.text
        attempt.save(update_fields=["finished_at", "status", "error", "answer"])
        delivery = Delivery.objects.get(pk=attempt.delivery_id)
        delivery.leased_until = None
        if answer.is_good:
            _end(delivery, State.DELIVERED, now)
            _note_success(endpoint)
            return None
        return _retry(endpoint, delivery, answer, now)


def _retry(endpoint: Endpoint, delivery: Delivery, answer: Answer, now: datetime) -> Postponed | None:
    why = answer.error or f"The endpoint answered {answer.status}."
    delivery.tries += 1
    delivery.save(update_fields=["tries", "leased_until"])
    _note_failure(endpoint, now)
    if answer.status == 410 and endpoint.is_on:  # noqa: PLR2004  Gone: it wants no more
        switch_off(endpoint, "It answered 410 Gone, which means that it wants no more.", tell=True)
    elif endpoint.is_on and now - (endpoint.failing_since or now) >= GIVE_UP_AFTER:
        switch_off(endpoint, f"It has taken nothing for {GIVE_UP_AFTER.days} days. {why}", tell=True)
    if not endpoint.is_on or delivery.state != State.PENDING:
        return None  # what was pending has been given up with it
    if delivery.tries > len(DELAYS):
        _end(delivery, State.FAILED, now, error=f"Tried {delivery.tries} times. {why}")
        return None
    # Up to a tenth more, by chance: what failed together does not come back together.
    delay = DELAYS[delivery.tries - 1] * random.uniform(1, 1.1)  # noqa: S311
    delay = max(delay, min(timedelta(seconds=answer.retry_after or 0), LONGEST_WAIT))
    delivery.due_at = now + delay
    delivery.save(update_fields=["due_at"])
    return Postponed(delay.total_seconds(), why)


def _end(delivery: Delivery, state: State, now: datetime, *, error: str = "") -> None:
    """Settle a delivery. One that was given up while it was being sent may turn out to have been taken."""
    if delivery.state != State.DELIVERED:
        delivery.state, delivery.settled_at, delivery.error = state, now, error[:300]
    delivery.save(update_fields=["state", "settled_at", "error", "leased_until"])


def _note_success(endpoint: Endpoint) -> None:
    if endpoint.failures:
        endpoint.failures, endpoint.failing_since, endpoint.quiet_until = 0, None, None
        endpoint.save(update_fields=["failures", "failing_since", "quiet_until"])


def _note_failure(endpoint: Endpoint, now: datetime) -> None:
    endpoint.failures += 1
    endpoint.failing_since = endpoint.failing_since or now
    endpoint.quiet_until = now + min(timedelta(seconds=2 ** min(endpoint.failures, 9)), LONGEST_QUIET)
    endpoint.save(update_fields=["failures", "failing_since", "quiet_until"])


def _later(wait: timedelta, why: str) -> Postponed:
    return Postponed(max(wait.total_seconds(), 0.1), why)
