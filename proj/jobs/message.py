"""A task message as it is stored and published: the ledger's unit of account."""

from datetime import datetime
from typing import Any, NamedTuple

from celery.utils.time import maybe_iso8601
from django.utils import timezone
from kombu import Producer, serialization

#: The header by which a worker knows that a message is owed; a message without it runs as plain Celery.
HEADER = "ledger"
#: The header by which a sender says what the job is about, when the task itself does not.
SUBJECT = "subject"

# Of what Celery hands to a producer, what belongs to the act of publishing and not to the message.
_ACT = {"exchange", "routing_key", "serializer", "compression", "retry", "retry_policy", "declare", "headers",
        "timeout", "confirm_timeout", "delivery_mode", "priority"}  # fmt: skip


class Message(NamedTuple):
    """One task message: what it asks for, and everything that is published for it."""

    id: str
    task: str
    queue: str
    priority: int
    eta: datetime | None  # not before; None: at once
    content: dict[str, Any]  # headers, properties, body, content_type, content_encoding

    @classmethod
    def from_publish(cls, body: Any, options: dict[str, Any]) -> "Message":
        """Return the message that ``producer.publish(body, **options)`` would have sent.

        The time to wait for is taken out of the headers: it waits in the ledger and not in a worker's memory.
        """
        content_type, content_encoding, payload = serialization.dumps(body, options["serializer"])
        headers = {**options["headers"], HEADER: True}
        eta = maybe_iso8601(headers.get("eta"))
        headers["eta"] = None
        return cls(
            id=headers["id"],
            task=headers["task"],
            queue=options["routing_key"],
            priority=options.get("priority") or 0,
            eta=eta,
            content={
                "headers": headers,
                "properties": {name: value for name, value in options.items() if name not in _ACT},
                "body": payload,
                "content_type": content_type,
                "content_encoding": content_encoding,
            },
        )

    @property
    def retries(self) -> int:
        """How often the task has asked to be tried again."""
        return int(self.content["headers"].get("retries") or 0)

    @property
    def is_due(self) -> bool:
        """Whether it may be published now, as far as this machine's clock knows."""
        return self.eta is None or self.eta <= timezone.now()

    def publish(self, producer: Producer, **options: Any) -> None:
        """Send the message to its queue; ``options`` are the producer's, such as ``retry``."""
        producer.publish(
            self.content["body"],
            exchange="",  # by the queue's name: no binding to be lost
            routing_key=self.queue,
            priority=self.priority,
            headers=self.content["headers"],
            content_type=self.content["content_type"],
            content_encoding=self.content["content_encoding"],
            delivery_mode=2,
            **self.content["properties"],
            **options,
        )
