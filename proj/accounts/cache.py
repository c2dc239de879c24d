"""Django's cache on the broker's Redis, for what may be lost: how often somebody has tried.

Redis may be away at any time, and signing in must not need it: then nothing is remembered, nobody is locked out and
no page fails. While it is away sign-ins are not limited; who can take our Redis down can do worse.
"""

import json
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TypeVar

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

#: Seconds that a Redis which did not answer is left alone. A sign-in asks it a dozen times: it waits for one time-out.
QUIET_SECONDS = 5.0
#: A local Redis answers in less than a millisecond; one that takes 0.3 s is not there for a person who waits.
TIMEOUT = 0.3
#: Keys deleted in one round trip.
BATCH = 500


class JsonSerializer:
    """Values as JSON. With Django's own, pickle, whoever can write to Redis could run code here."""

    def dumps(self, value: Any) -> bytes | int:
        return value if type(value) is int else json.dumps(value).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class ForgivingRedisCache(RedisCache):
    """A Redis cache that answers as an empty one would when Redis does not."""

    _quiet_until: ClassVar[float] = 0.0  # of the process: connections are of the thread

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        options = {
            "serializer": JsonSerializer,
            "socket_connect_timeout": TIMEOUT,
            "socket_timeout": TIMEOUT,
            **params.get("OPTIONS", {}),
        }
        super().__init__(server, {**params, "OPTIONS": options})

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return self._ask(lambda: super(ForgivingRedisCache, self).add(key, value, timeout, version), True)

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return self._ask(lambda: super(ForgivingRedisCache, self).get(key, default, version), default)

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        self._ask(lambda: super(ForgivingRedisCache, self).set(key, value, timeout, version), None)

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return self._ask(lambda: super(ForgivingRedisCache, self).touch(key, timeout, version), False)

    def delete(self, key: Any, version: int | None = None) -> bool:
        return self._ask(lambda: super(ForgivingRedisCache, self).delete(key, version), False)

    def has_key(self, key: Any, version: int | None = None) -> bool:
        return self._ask(lambda: super(ForgivingRedisCache, self).has_key(key, version), False)

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        """Add to a number. As Django has it, ValueError when there is none, and here when Redis is away."""
        nothing: int | None = None
        result = self._ask(lambda: super(ForgivingRedisCache, self).incr(key, delta, version), nothing)
        if result is None:
            raise ValueError(f"Key {key!r} not found")
        return result

    def get_many(self, keys: Iterable[Any], version: int | None = None) -> dict[Any, Any]:
        return self._ask(lambda: super(ForgivingRedisCache, self).get_many(keys, version), {})

    def set_many(
        self, data: dict[Any, Any], timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> list[Any]:
        return self._ask(lambda: super(ForgivingRedisCache, self).set_many(data, timeout, version), [])

    def delete_many(self, keys: Iterable[Any], version: int | None = None) -> None:
        self._ask(lambda: super(ForgivingRedisCache, self).delete_many(keys, version), None)

    def clear(self) -> None:
        """Delete what is ours. Django's own empties the database, which is also the broker's."""
        self._ask(self._delete_all, None)

    def _delete_all(self) -> None:
        client = self._cache.get_client(None, write=True)
        keys = list(client.scan_iter(match=f"{self.key_prefix}:*", count=BATCH))
        for start in range(0, len(keys), BATCH):
            client.delete(*keys[start : start + BATCH])

    @classmethod
    def _ask(cls, call: Callable[[], Answer], otherwise: Answer) -> Answer:
        if time.monotonic() < cls._quiet_until:
            return otherwise
        try:
            return call()
        except (RedisError, OSError) as error:
            cls._quiet_until = time.monotonic() + QUIET_SECONDS
            logger.warning("the cache is away, sign-ins are not limited meanwhile: %s", error)
            return otherwise
