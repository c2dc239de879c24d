"""What goes wrong on the way, on purpose: while orders and pictures are under way, a worker is killed and Redis is wiped."""

from collections.abc import Callable, Sequence
from itertools import count

from django.conf import settings
from redis import Redis

from proj.servers.launch import System

VICTIM = "default"  # the workers that have the most steps in hand


class Mischief:
    """Strikes as things end: at a quarter of them a whole worker dies, at a half Redis forgets everything.

    Args:
        system: what is struck.
        total: how many things will end.
        say: hears what was done.

    """

    def __init__(self, system: System, total: int, say: Callable[[str], None]) -> None:
        self.struck: set[str] = set()  # the processes that did not die by themselves
        self._system, self._say = system, say
        self._ended = count(1)
        self._plan = {max(total // 4, 1): self._kill_a_worker, max(total // 2, 2): self._wipe_redis}

    def one_has_ended(self) -> None:
        """Count one more end, and strike if it is time."""
        strike = self._plan.pop(next(self._ended), None)
        if strike is not None:
            strike()

    def not_ours(self, incidents: Sequence[str]) -> list[str]:
        """Return the supervisor's incidents without those of the processes that were struck."""
        return [incident for incident in incidents if incident.split()[0] not in self.struck]

    def _kill_a_worker(self) -> None:
        victim = next(child for child in self._system.supervisor.children if child.process.name == VICTIM)
        self.struck.add(VICTIM)
        victim.kill()
        self._say(f"mischief: the worker {VICTIM!r} was killed with kill -9, with all that it had in hand")

    def _wipe_redis(self) -> None:
        with Redis.from_url(settings.CELERY_BROKER_URL) as redis:
            redis.flushall()
        self._say("mischief: Redis was wiped: every message that was waiting is gone")
