"""Where every task message enters the ledger: ``.delay()``, chains, groups, chords, retries and Beat all end here."""

from functools import partial
from typing import Any

from celery.app.amqp import AMQP
from django.db import transaction

from proj.jobs import bell, ledger
from proj.jobs.message import SUBJECT, Message


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
                self._owe(outbox.message)
            elif transaction.get_connection().in_atomic_block:
                transaction.on_commit(lambda: self._publish(publish, name, message, options), robust=True)
            else:
                publish(producer, name, message, **options)

        return send_task_message

    def _is_owed(self, name: str, options: dict[str, Any]) -> bool:
        """Whether a message is recorded: not for a task that opted out, nor for one message to many workers."""
        exchange = options.get("exchange")
        return bool(getattr(self.app.tasks.get(name), "ledger", True)) and not exchange

    def _owe(self, message: Message) -> None:
        claim = ledger.current_claim()
        task = self.app.tasks.get(message.task)
        if claim is not None and message.id == claim.id:
            claim.successor = message
        elif claim is not None and claim.holding:
            claim.held.append(partial(enqueue, message, task))
        else:
            enqueue(message, task)

    def _publish(self, publish: Any, name: str, message: Any, options: dict[str, Any]) -> None:
        with self.app.producer_or_acquire() as producer:
            publish(producer, name, message, **options)


def enqueue(message: Message, task: Any) -> None:
    """Record a message and ring for it on commit, unless it is owed or done already."""
    ring = message.is_due and not bell.is_silent()
    subject = message.content["headers"].get(SUBJECT, "")
    if not subject and getattr(task, "subject", None):
        subject = task.subject_of(message.content["body"])
    if ledger.record(message, subject=subject, ring=ring) and ring:
        bell.ring_on_commit(message)


class _Outbox:
    """Stands in for a producer: takes what would have been published."""

    message: Message

    def publish(self, body: Any, **options: Any) -> None:
        self.message = Message.from_publish(body, options)
