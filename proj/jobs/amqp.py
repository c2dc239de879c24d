"""Where every task message enters the ledger: ``.delay()``, chains, groups, chords, retries and Beat all end here."""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from celery.app.amqp import AMQP
from django.db import transaction

from proj.jobs import bell, ledger
from proj.jobs.message import SUBJECT, Message

#: Messages that are recorded in one statement, at most: some hundred kilobytes.
TOGETHER = 500
#: Seconds after which what was gathered is recorded, though more is coming: a header that is generated slowly, or without
#: end, is worked on meanwhile. A group of 1,000 that is there takes 0.3 s.
GENERATED = 0.5


class LedgerAMQP(AMQP):
    """Records task messages in the caller's transaction, and rings the bell when it has been committed.

    - A broker that is away is not the caller's concern: the row is there, the dispatcher rings later.
    - A message with a time to wait for is not published at all before that time.
    - What a task sends in its own place (a retry, a replacement) is kept with its claim, as are its next steps: they
      are written in the transaction that stores its outcome.
    - A task with ``ledger=False`` may be lost: it is published on commit and not recorded.
    """

    def _create_task_sender(self) -> Any:
        publish = super()._create_task_sender()  # type: ignore[misc]  # not in the stubs

        def send_task_message(producer: Any, name: str, message: Any, **options: Any) -> None:
            if self._is_owed(name, options):
                outbox = _Outbox()
                # Without the event that it was sent: it has not been.
                publish(outbox, name, message._replace(sent_event=None), **{**options, "retry": False})
                self._owe(outbox.message, producer)
            elif transaction.get_connection().in_atomic_block:
                transaction.on_commit(lambda: self._publish(publish, name, message, options), robust=True)
            else:
                publish(producer, name, message, **options)

        return send_task_message

    def _is_owed(self, name: str, options: dict[str, Any]) -> bool:
        """Whether a message is recorded: not for a task that opted out, nor for one message to many workers."""
        task = self.app.tasks.get(name)
        # A task of another base would never claim its job, nor end it. One that is not known here is in the worker.
        return (task is None or getattr(task, "ledger", False)) and not options.get("exchange")

    @contextmanager
    def gathering(self, acquired: AbstractContextManager[Any]) -> Iterator[Any]:
        """Hand on a producer, and record together what is sent with it, some hundreds at a time.

        A group is a third of the work so (1,000 jobs: 0.3 s, not 1.0), and one of up to ``TOGETHER`` is recorded whole
        or not at all.
        """
        gathered = _Gathered()
        with acquired as producer:
            producer.gathered = gathered
            try:
                yield producer
            finally:
                del producer.gathered
        if gathered:
            enqueue(gathered)

    def _owe(self, message: Message, producer: Any) -> None:
        claim = ledger.current_claim()
        gathered = getattr(producer, "gathered", None)
        owed = (message, self.app.tasks.get(message.task))
        if claim is not None and message.id == claim.id:
            claim.successor = message
        elif claim is not None and claim.holding:
            claim.held.append(partial(enqueue, [owed]))
        elif gathered is not None and gathered.savepoints == _savepoints():
            gathered.append(owed)
            if len(gathered) >= TOGETHER or time.monotonic() - gathered.since > GENERATED:
                enqueue(gathered, producer)
                gathered.begin()
        else:
            enqueue([owed], producer)

    def _publish(self, publish: Any, name: str, message: Any, options: dict[str, Any]) -> None:
        with self.app.producer_or_acquire() as producer:
            publish(producer, name, message, **options)


def enqueue(owed: Sequence[tuple[Message, Any]], producer: Any = None) -> None:
    """Record messages, each with its task, and ring for them on commit, unless they are owed or done already.

    ``producer`` is one that the caller holds meanwhile, to ring with.
    """
    rings = not bell.is_silent()
    first = {message.id: (message, task) for message, task in reversed(owed)}  # of two under one id
    entries = [
        ledger.Entry(message, _subject(message, task), rings and message.is_due)
        for message, task in reversed(first.values())
    ]
    written = ledger.record(entries)
    due = [entry.message for entry in entries if written.get(entry.message.id)]
    if due:
        bell.ring_on_commit(due, producer)


def _subject(message: Message, task: Any) -> str:
    subject: str = message.content["headers"].get(SUBJECT, "")
    return subject or (task.subject_of(message.content["body"]) if getattr(task, "subject", None) else "")


def _savepoints() -> list[str] | None:
    """Return the savepoints that are open; None outside a transaction."""
    connection = transaction.get_connection()
    return list(connection.savepoint_ids) if connection.in_atomic_block else None


class _Gathered(list[tuple[Message, Any]]):
    """What was sent with a producer, and where: what is sent in a transaction belongs to that transaction."""

    def __init__(self) -> None:
        super().__init__()
        self.savepoints = _savepoints()
        self.begin()

    def begin(self) -> None:
        """Start anew, with nothing gathered."""
        self.clear()
        self.since = time.monotonic()


class _Outbox:
    """Stands in for a producer: takes what would have been published."""

    message: Message

    def publish(self, body: Any, **options: Any) -> None:
        self.message = Message.from_publish(body, options)
