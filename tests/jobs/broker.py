"""Jobs to ring for, and what the broker holds of them."""

import json
from collections import Counter

from celery import current_app, shared_task
from django.db import transaction
from redis import Redis


@shared_task(name="tests.dispatched", queue="default", soft_time_limit=20, time_limit=30)
def dispatched(number: int = 0) -> int:
    """Stands for work."""
    return number


def keys(queue: str = "default") -> list[str]:
    """Return the lists of Redis that hold a queue, one for each step of priority."""
    prefix = current_app.conf.broker_transport_options["global_keyprefix"]
    return [f"{prefix}{queue}", *(f"{prefix}{queue}:{step}" for step in (3, 6, 9))]


def rung(redis: Redis) -> Counter[str]:
    """Count the messages that wait by their job."""
    messages = [json.loads(message) for key in keys() for message in redis.lrange(key, 0, -1)]
    return Counter(message["headers"]["id"] for message in messages)


def lose(redis: Redis, *jobs: str) -> None:
    """Take messages out of the broker; all of them, if none are named."""
    for key in keys():
        for message in redis.lrange(key, 0, -1):
            if not jobs or json.loads(message)["headers"]["id"] in jobs:
                redis.lrem(key, 1, message)


def owe(count: int) -> list[str]:
    """Enqueue so many jobs in one transaction; return their ids."""
    with transaction.atomic():
        return [dispatched.delay(number).id for number in range(count)]
