"""The whole system as people run it, `manage.py up`, on a folder of its own, and people who are signed in to it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import requests

from proj.servers.environment import BASE_DIR
from proj.servers.lifetime import SERVERS, Lease
from proj.servers.records import MARK, read_records, running
from proj.servers.state import free_port
from tests.waiting import eventually

READY_SECONDS = 150  # a dozen processes on two slow cores; 15 s on a laptop
TIMEOUT = 30  # seconds for an answer
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Person:
    """Somebody who is signed in, without a browser: to bring about what a browser is then shown."""

    def __init__(self, url: str, name: str, password: str) -> None:
        self.url, self._password = url, password
        self.session = requests.Session()
        self.post("/accounts/login/", {"username": name, "password": password})
        assert "sessionid" in self.session.cookies, f"{name} cannot sign in"

    @property
    def cookies(self) -> list[dict[str, str]]:
        """As Playwright takes them."""
        return [{"name": each.name, "value": each.value, "url": self.url} for each in self.session.cookies]

    def prove(self) -> None:
        """Show the password again, as pages that change who may get in ask for."""
        self.post("/accounts/reauthenticate/", {"password": self._password})

    def get(self, path: str) -> requests.Response:
        answer = self.session.get(f"{self.url}{path}", timeout=TIMEOUT)
        answer.raise_for_status()
        return answer

    def post(self, path: str, fields: dict[str, Any], *, form: str = "") -> requests.Response:
        """Fill in the form of the page at `form` and send it to `path`, which is where the form is if not said."""
        token = TOKEN.search(self.get(form or path).text)
        assert token, f"no form at {form or path}"
        data = {"csrfmiddlewaretoken": token[1], **fields}
        answer = self.session.post(
            f"{self.url}{path}", data=data, headers={"Referer": self.url}, timeout=TIMEOUT
        )
        answer.raise_for_status()
        return answer

    def call(self, method: str, path: str, **request: Any) -> Any:
        """Call the API; return the document."""
        headers = {"X-CSRFToken": self.session.cookies["csrftoken"], "Referer": self.url}
        answer = self.session.request(
            method, f"{self.url}/api/v1{path}", headers=headers, timeout=TIMEOUT, **request
        )
        assert answer.ok, answer.text
        return answer.json()

    def order(self, lines: dict[str, int], *, card: str = "pm_card_visa", express: bool = False) -> str:
        """Place an order; return its public id."""
        body = {
            "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()],
            "express": express,
            "payment_method": card,
        }
        return str(self.call("POST", "/orders", json=body)["id"])

    def status_of(self, order: str) -> str:
        return str(self.call("GET", f"/orders/{order}")["status"])


class Shop:
    """A running system: where it is, who may sign in, which processes it is made of."""

    def __init__(self, url: str, var_dir: Path) -> None:
        self.url, self.var_dir = url, var_dir
        self.passwords: dict[str, str] = json.loads((var_dir / "logins.json").read_text())
        self._people: dict[str, Person] = {}

    def person(self, name: str) -> Person:
        """Return "shopper", "staff" or "admin", signed in once for all tests."""
        if name not in self._people:
            self._people[name] = Person(self.url, name, self.passwords[name])
        return self._people[name]

    def processes(self, name: str) -> list[psutil.Process]:
        """The live processes of a part of the system, such as "default" or "web", and what they started."""
        return running(self.var_dir, [each for each in read_records(self.var_dir) if each.name == name]).get(
            name, []
        )

    def kill(self, name: str) -> None:
        """End all processes of a part of the system with SIGKILL; the supervisor starts it again."""
        found = self.processes(name)
        assert found
        for process in found:
            process.kill()


@contextmanager
def running_shop(var_dir: Path) -> Iterator[Shop]:
    """Run the system for as long as the block lasts; as in a deployment, without DEBUG and with files collected."""
    environment = _environment(var_dir)
    said = var_dir / "up.log"
    with said.open("w") as log:
        collect = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity=0"]
        # Any servers will do for reading the settings.
        none = {"DATABASE_URL": "postgres:///none", "CELERY_BROKER_URL": "redis:///0", "SECRET_KEY": "x" * 50}
        subprocess.run(collect, cwd=BASE_DIR, env=environment | none, stdout=log, stderr=log, check=True)
        up = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=BASE_DIR,
            env=environment,
            stdout=log,
            stderr=log,
            text=True,
        )
    try:
        yield Shop(eventually(lambda: _address(up, said), READY_SECONDS), var_dir)
    finally:
        _stop(up, var_dir)


def _environment(var_dir: Path) -> dict[str, str]:
    unset = {*SERVERS, "SECRET_KEY", MARK, "CELERY_KEY_PREFIX"}
    return {name: value for name, value in os.environ.items() if name not in unset} | {
        "DJANGO_SETTINGS_MODULE": "tests.browser.settings",
        "DEBUG": "0",
        "PORT": str(free_port()),
        "VAR_DIR": str(var_dir),
        "PYTHONUNBUFFERED": "1",
    }


def _address(up: "subprocess.Popen[str]", said: Path) -> str:
    assert up.poll() is None, said.read_text()
    text = said.read_text()
    return text.partition("The shop   ")[2].partition("/\n")[0] if "Ctrl-C stops everything." in text else ""


def _stop(up: "subprocess.Popen[str]", var_dir: Path) -> None:
    """End it at once: to end in good order takes a quarter of a minute, and is for tests/servers to see."""
    up.kill()
    up.wait()
    for processes in running(var_dir, []).values():
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
    Lease(var_dir, []).stop_if_unused()
