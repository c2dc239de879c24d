"""How jobs look in a terminal: as a table, one by one, as JSON; and how far the work on many of them has come."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.management.base import OutputWrapper
from django.core.serializers.json import DjangoJSONEncoder

#: Columns of the table, each with the most characters that it shows.
COLUMNS = {"id": 36, "task": 40, "state": 9, "queue": 10, "subject": 24, "attempt": 7, "age": 5, "error": 60}
BAR = 30


def as_json(value: Any) -> str:
    """Return one line of JSON."""
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)


def table(rows: Iterable[Mapping[str, Any]], now: datetime) -> list[str]:
    """Return jobs as aligned lines, the first of which names the columns; no lines for no jobs."""
    cells = [[_cell(row, name, now)[:most] for name, most in COLUMNS.items()] for row in rows]
    if not cells:
        return []
    cells.insert(0, [name.upper() for name in COLUMNS])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def details(job: Mapping[str, Any]) -> list[str]:
    """Return everything that is known of one job, a line for each thing that is; a traceback as it is."""
    known = {name: value for name, value in job.items() if value not in (None, "", False)}
    traceback = str(known.pop("traceback", ""))
    width = max(map(len, known))
    return [
        *(f"{name.ljust(width)}  {_text(value)}" for name, value in known.items()),
        *traceback.splitlines(),
    ]


class Progress:
    """A bar on a terminal; nothing where nobody looks."""

    def __init__(self, out: OutputWrapper, total: int) -> None:
        self.out, self.total, self.done = out, total, 0
        self.shows = out.isatty() and total > 1

    def advance(self, count: int) -> None:
        """Add what has been done since the last time."""
        self.done += count
        if self.shows:
            bar = "#" * (self.done * BAR // self.total)
            end = "\n" if self.done == self.total else ""
            self.out.write(f"\r[{bar:{BAR}}] {self.done}/{self.total}", ending=end)


def length(seconds: float) -> str:
    """Return a length of time in its largest unit: ``"5m"``."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def _cell(row: Mapping[str, Any], name: str, now: datetime) -> str:
    if name == "age":
        return length((now - row["created_at"]).total_seconds())
    value = row[name]
    return "" if value is None else str(value).replace("\n", " ")


def _text(value: Any) -> str:
    if isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str)):
        return as_json(value)
    return value.isoformat(" ", "seconds") if isinstance(value, datetime) else str(value)
