"""What is done to a running system, at random but from a seed, so that it can be done again."""

import os
import random
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import psutil
import psycopg
import redis

from proj.queues import WORKERS as GROUPS
from proj.servers.child import Child
from proj.servers.launch import System
from proj.servers.redis import Redis

PAUSE = (1.0, 5.0)  # seconds from one deed to the next
WORKERS = [group.name for group in GROUPS]
PREFORKED = [group.name for group in GROUPS if group.pool == "prefork"]


class Monkeys:
    """Does something bad every few seconds, and says what.

    Args:
        system: who suffers.
        redis_server: the broker, which has no supervisor but the monkeys.
        database: its URL.
        seed: of chance.
        say: hears of each deed.

    """

    def __init__(
        self, system: System, redis_server: Redis, database: str, seed: int, say: Callable[[str], None]
    ) -> None:
        self.children = {child.process.name: child for child in system.supervisor.children}
        self.redis_server, self.database, self.say = redis_server, database, say
        self.redis = redis.Redis.from_url(redis_server.url)
        self.chance = random.Random(seed)
        self.deeds: Counter[str] = Counter()
        #: Each deed, and how many times as likely as another it is.
        self.repertoire: dict[Callable[[], str], int] = {
            self.kill_worker: 6,
            self.kill_pool_process: 6,
            self.freeze_worker: 3,
            self.terminate_worker: 3,
            self.kill_beat: 3,
            self.freeze_beat: 2,
            self.kill_web: 2,
            self.kill_web_process: 3,
            self.kill_provider: 3,
            self.freeze_provider: 2,
            self.wipe_redis: 4,
            self.kill_redis: 2,
            self.cut_redis: 3,
            self.silence_redis: 2,
            self.terminate_backends: 6,
            self.crash_postgres: 1,
        }

    def run(self, until: threading.Event) -> None:
        """Do deeds until the event is set."""
        began = time.monotonic()
        while not until.wait(self.chance.uniform(*PAUSE)):
            deed = self.chance.choices(list(self.repertoire), list(self.repertoire.values()))[0]
            name = deed.__name__.replace("_", " ")
            try:
                what = deed()
            except (psutil.Error, psycopg.Error, redis.RedisError, OSError) as error:
                what = f"not done: {error}".strip()
            else:
                self.deeds[name] += 1
            self.say(f"{time.monotonic() - began:6.1f} s  {name}: {what}")

    # --- processes ---------------------------------------------------------------------------------------------------

    def kill_worker(self) -> str:
        return self._signal_group(self.chance.choice(WORKERS), signal.SIGKILL)

    def terminate_worker(self) -> str:
        child = self.children[self.chance.choice(WORKERS)]
        child.terminate()
        return child.process.name

    def kill_pool_process(self) -> str:
        return self._kill_one_of(self.children[self.chance.choice(PREFORKED)])

    def kill_web_process(self) -> str:
        return self._kill_one_of(self.children["web"])

    def freeze_worker(self) -> str:
        return self._freeze(self.chance.choice(WORKERS))

    def freeze_beat(self) -> str:
        return self._freeze("beat")

    def kill_beat(self) -> str:
        return self._signal_group("beat", signal.SIGKILL)

    def kill_web(self) -> str:
        return self._signal_group("web", signal.SIGKILL)

    def kill_provider(self) -> str:
        """Kill the payment provider with whatever it is asked; its books are as they were on disk."""
        return self._signal_group("payments", signal.SIGKILL)

    def freeze_provider(self) -> str:
        return self._freeze("payments")

    def _signal_group(self, name: str, number: signal.Signals) -> str:
        record = self.children[name].record
        if record is None:
            return f"{name} does not run"
        with suppress(ProcessLookupError):
            os.killpg(record.pid, number)
        return name

    def _freeze(self, name: str) -> str:
        seconds = self.chance.uniform(1, 6)
        self._signal_group(name, signal.SIGSTOP)
        time.sleep(seconds)
        self._signal_group(name, signal.SIGCONT)
        return f"{name} for {seconds:.1f} s"

    def _kill_one_of(self, child: Child) -> str:
        found = psutil.Process(child.record.pid).children() if child.record else []
        if not found:
            return f"{child.process.name} has none"
        self.chance.choice(found).kill()
        return child.process.name

    # --- Redis -------------------------------------------------------------------------------------------------------

    def wipe_redis(self) -> str:
        size = self.redis.dbsize()
        self.redis.flushall()
        return f"{size} keys"

    def kill_redis(self) -> str:
        """Kill it, lose its disk, and start it again after a while."""
        os.kill(int(self.redis.info("server")["process_id"]), signal.SIGKILL)
        while self.redis_server.is_running():
            time.sleep(0.05)
        shutil.rmtree(self.redis_server.data)
        seconds = self.chance.uniform(0, 8)
        time.sleep(seconds)
        self.redis_server.start()
        return f"away for {seconds:.1f} s, without its data"

    def cut_redis(self) -> str:
        return (
            f"{self.redis.execute_command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')} connections"
        )

    def silence_redis(self) -> str:
        milliseconds = self.chance.randrange(1000, 6000)
        self.redis.execute_command("CLIENT", "PAUSE", milliseconds, "ALL")
        time.sleep(milliseconds / 1000)
        return f"for {milliseconds / 1000:.1f} s"

    # --- PostgreSQL --------------------------------------------------------------------------------------------------

    def terminate_backends(self) -> str:
        """End some connections, or all of them."""
        with psycopg.connect(self.database, autocommit=True, connect_timeout=5) as connection:
            found = self._backends(connection)
            some = found if self.chance.random() < 0.3 else self.chance.sample(found, min(3, len(found)))
            for pid in some:
                connection.execute("SELECT pg_terminate_backend(%s)", [pid])
        return f"{len(some)} of {len(found)}"

    def crash_postgres(self) -> str:
        """Kill one backend outright: the server ends all the others and recovers from its log."""
        with psycopg.connect(self.database, autocommit=True, connect_timeout=5) as connection:
            found = self._backends(connection)
            if found:
                os.kill(self.chance.choice(found), signal.SIGKILL)
        return "recovers"

    @staticmethod
    def _backends(connection: psycopg.Connection) -> list[int]:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return sorted(pid for (pid,) in rows)
