"""A client of server-sent events, in a thread of its own."""

import json
import threading
import time
from typing import Any, NamedTuple, Self

import requests

from tests.waiting import eventually


class Event(NamedTuple):
    id: str
    kind: str
    data: dict[str, Any]
    at: float


class Listener:
    """Connects at once; `status` and `headers` are those of the answer, `events` what has come since."""

    def __init__(self, url: str, token: str = "", seen: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if seen:
            headers["Last-Event-ID"] = seen
        self._answer = requests.get(url, headers=headers, stream=True, timeout=70)
        self.status, self.headers = self._answer.status_code, self._answer.headers
        self.events: list[Event] = []
        self.retry = 0
        self.over = False
        self.broken = False  # cut off, not ended
        self._thread = threading.Thread(target=self._read, daemon=True)
        if self.status == 200:
            self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def changes(self) -> list[Event]:
        return [event for event in self.events if event.kind == "change"]

    @property
    def statuses(self) -> list[str]:
        return [event.data["status"] for event in self.changes]

    def wait_for(self, number: int, seconds: float = 10) -> Event:
        """Wait for the change with this number, from 1, and return it."""
        eventually(lambda: len(self.changes) >= number, seconds=seconds, why=f"{self.status} {self.statuses}")
        return self.changes[number - 1]

    def wait_for_the_end(self, seconds: float = 10) -> None:
        eventually(lambda: self.over, seconds=seconds)

    def close(self) -> None:
        """Go away, as a closed tab does."""
        connection = getattr(self._answer.raw, "connection", None)
        if connection is not None and connection.sock is not None:
            connection.sock.shutdown(2)  # the thread is reading: closing alone would not wake it
        self._answer.close()
        if self._thread.is_alive():
            self._thread.join(10)

    def _read(self) -> None:
        fields: dict[str, str] = {}
        try:
            for line in self._answer.iter_lines(chunk_size=1, decode_unicode=True):
                text = line.decode() if isinstance(line, bytes) else line
                if text:
                    name, _, value = text.partition(": ")
                    fields[name] = value
                elif "retry" in fields:
                    self.retry = int(fields.pop("retry"))
                elif fields:
                    data = json.loads(fields["data"])
                    self.events.append(Event(fields.get("id", ""), fields["event"], data, time.monotonic()))
                    fields = {}
        except (requests.RequestException, OSError, AttributeError, ValueError):
            self.broken = True
        self.over = True
