"""Ringing the bell: publishing messages to the broker. It may fail at any time; what is owed is in the ledger."""

import logging
import time
from collections.abc import Sequence

from celery import current_app
from django.db import connection, transaction
from kombu import Producer
from kombu.exceptions import BatchPublishError, OperationalError  # type: ignore[attr-defined]  # older stubs

from proj.jobs import ledger
from proj.jobs.failpoints import failpoint
from proj.jobs.message import Message

logger = logging.getLogger(__name__)

#: Seconds that a broker which did not answer is left alone: the request that found it out has paid for a time-out, and
#: none after it does. The dispatcher rings for what was recorded meanwhile.
QUIET_SECONDS = 5.0
#: Messages in one round trip; beyond some hundreds a larger batch is no faster.
BATCH = 500
# One connection of the pool may have gone stale; its second try has a fresh one.
_RETRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}

_quiet_until = 0.0
_away = False


def is_silent() -> bool:
    """Whether the broker was found away a moment ago, so that there is no point in trying."""
    return time.monotonic() < _quiet_until


def note_absence(error: Exception) -> None:
    """Remember that the broker did not answer: it is left alone for a while, and its absence is logged once."""
    global _quiet_until, _away  # noqa: PLW0603  one broker, one memory of it
    if not _away:
        logger.warning("the broker is away, what is owed waits in the ledger: %s", error)
    _away = True
    _quiet_until = time.monotonic() + QUIET_SECONDS


def note_presence() -> None:
    """Remember that the broker has answered."""
    global _away  # noqa: PLW0603
    if _away:
        logger.warning("the broker answers again")
    _away = False


def ring(messages: Sequence[Message], producer: Producer | None = None) -> bool:
    """Publish messages, many of them in one round trip; return whether the broker took them.

    ``producer`` is one that the caller holds. A caller that holds one must give it: if each of as many threads as the pool
    has connections held one and waited for another, they would wait for ever.

    Those it did not take, or may not have taken, are noted as not rung. One that is published twice is claimed once.
    """
    failpoint("publish")
    try:
        _publish(messages, producer)
    except (OperationalError, BatchPublishError, OSError) as error:
        if not is_silent():
            note_absence(error)
        ledger.unring([message.id for message in messages])
        return False
    note_presence()
    failpoint("published")
    return True


def _publish(messages: Sequence[Message], held: Producer | None) -> None:
    if is_silent():
        raise OperationalError("the broker did not answer a moment ago")
    with current_app.producer_or_acquire(held) as producer:
        if len(messages) == 1:
            messages[0].publish(producer, retry=True, retry_policy=_RETRY)
        else:
            with producer.batch(max_size=BATCH):
                for message in messages:
                    message.publish(producer)


class _RingOnCommit(list[Message]):
    """The messages of one transaction, as the function that Django calls when it has been committed."""

    def __call__(self) -> None:
        ring(self)


def ring_on_commit(messages: Sequence[Message], producer: Producer | None = None) -> None:
    """Publish messages when the current transaction is committed; at once when there is none.

    The messages of one transaction leave together. Those of a savepoint that is rolled back do not leave: Django
    forgets the functions of that savepoint, so each stack of savepoints has one of its own.
    """
    if not connection.in_atomic_block:
        ring(messages, producer)
        return
    savepoints = set(connection.savepoint_ids)
    if connection.run_on_commit:
        registered_in, hook = connection.run_on_commit[-1][:2]
        if isinstance(hook, _RingOnCommit) and registered_in == savepoints:
            hook.extend(messages)
            return
    transaction.on_commit(_RingOnCommit(messages), robust=True)
