"""Where every task message leaves for the broker: on commit, when there is a transaction.

``.delay()``, chains, groups, chords, retries and Beat all end in Celery's AMQP layer, so the rule is kept in this
one place and no caller can forget it.
"""

import logging
from typing import Any

from celery.app.amqp import AMQP
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


class OnCommitAMQP(AMQP):
    """Publishes task messages after the caller's transaction has been committed.

    Inside a transaction a message waits for the commit: a worker never looks for a row that it cannot see yet, and
    work that was rolled back is never started. A publish that fails then is logged and does not reach the caller,
    whose data are committed: the sweeps enqueue again what has not moved (``orders.resume_stuck_orders`` and its
    like). The window that is left, a process that dies between commit and publish, is closed by the same sweeps.

    Outside a transaction a message leaves at once, and errors reach the caller, as in stock Celery.
    """

    def _create_task_sender(self) -> Any:
        publish = super()._create_task_sender()  # type: ignore[misc]  # not in the stubs

        def send_task_message(producer: Any, name: str, message: Any, **options: Any) -> Any:
            if not transaction.get_connection().in_atomic_block:
                return publish(producer, name, message, **options)

            def publish_on_commit() -> None:
                try:
                    with self.app.producer_or_acquire() as fresh:
                        publish(fresh, name, message, **options)
                except OperationalError as error:
                    logger.warning("%s was not published, a sweep will enqueue it again: %s", name, error)

            transaction.on_commit(publish_on_commit, robust=True)
            return None

        return send_task_message
