"""What tasks leave behind outside the database: lines in a file that is only appended to. The judge from outside."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Effects:
    """Lines of JSON; one write of a line to a file that was opened for appending is atomic, whoever else writes."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "effects"

    def write(self, kind: str, **fields: Any) -> None:
        line = json.dumps({"kind": kind, "pid": os.getpid(), "at": time.monotonic(), **fields})
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, f"{line}\n".encode())
        finally:
            os.close(descriptor)

    @contextmanager
    def run(self, case: str, name: str, **fields: Any) -> Iterator[None]:
        """Leave a line where a run begins, and one where it ends by itself."""
        self.write("start", case=case, name=name, **fields)
        yield
        self.write("end", case=case, name=name, **fields)

    def read(self, **wanted: Any) -> list[dict[str, Any]]:
        """Return the lines that have these values, in order."""
        if not self.path.exists():
            return []
        lines = [json.loads(line) for line in self.path.read_text().splitlines()]
        return [line for line in lines if wanted.items() <= line.items()]
