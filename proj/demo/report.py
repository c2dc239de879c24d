"""What the person at the terminal sees: how far it is, and how it came out."""

import math
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from proj.demo.reckoning import Check
from proj.demo.shoppers import Watched


class Meter:
    """Progress bars on a terminal; elsewhere a plain line at each tenth, so that a log stays readable."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description:24}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def add(self, name: str, total: int) -> TaskID:
        """Show another bar and return its handle."""
        return self._bars.add_task(name, total=total)

    def advance(self, bar: TaskID) -> None:
        """One more is done. Threads may call it."""
        self._bars.advance(bar)
        if self._console.is_terminal:
            return
        task = self._bars.tasks[bar]
        total = int(task.total or 0)
        if int(task.completed) in {math.ceil(total * tenth / 10) for tenth in range(1, 11)}:
            self._console.print(f"{task.description}: {int(task.completed)} of {total}", highlight=False)


def print_ends(console: Console, orders: Sequence[Watched], avatars: Sequence[Watched]) -> None:
    """Print how many ended how, how fast, and how long people waited."""
    table = Table(title="What happened", title_justify="left")
    for heading in ("", "number", "per second", "p50", "p95"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, watched in (("orders", orders), ("photographs", avatars)):
        table.add_row(name, str(len(watched)), *_speed(watched))
        for status, number in Counter(each.status for each in watched).most_common():
            table.add_row(f"  {status}", str(number))
    console.print(table)
    console.print("p50, p95: from asking until the end, by the shop's clock", style="dim")


def print_reckoning(console: Console, checks: Sequence[Check]) -> None:
    """Print each check with both sides."""
    table = Table(title="The reckoning", title_justify="left")
    table.add_column("")
    table.add_column("expected", justify="right")
    table.add_column("found", justify="right")
    table.add_column("")
    for check in checks:
        verdict = "[green]ok[/]" if check.agrees else "[bold red]wrong[/]"
        table.add_row(check.name, _short(check.expected), _short(check.found), verdict)
    console.print(table)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest of ``values`` that ``percent`` of them do not exceed (nearest rank)."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def _speed(watched: Sequence[Watched]) -> tuple[str, str, str]:
    if not watched:
        return "-", "-", "-"
    waits = [(each.ended_at - each.began_at).total_seconds() for each in watched]
    span = max(each.ended_at for each in watched) - min(each.began_at for each in watched)
    rate = len(watched) / max(span.total_seconds(), 0.001)
    return f"{rate:.1f}", f"{percentile(waits, 50):.2f} s", f"{percentile(waits, 95):.2f} s"


def _short(value: object) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name} {number}" for name, number in value.items())
    if isinstance(value, list):
        return "\n".join(map(str, value[:5])) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value)
