"""The tables that a run of these tests ends with."""

from collections.abc import Iterable, Sequence

COLUMNS = ("boundary", "fault", "recovered in s", "runs", "effects", "duplicates", "verdict")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Lay rows out under their columns; numbers to the right."""
    shown = [[_show(value) for value in row] for row in rows]
    widths = [max(len(row[n]) for row in [columns, *shown]) for n in range(len(columns))]
    lines = [title, "  ".join(name.ljust(width) for name, width in zip(columns, widths, strict=True))]
    lines += [
        "  ".join(
            text.rjust(width) if text[:1].isdigit() else text.ljust(width)
            for text, width in zip(row, widths, strict=True)
        )
        for row in shown
    ]
    return "\n".join(line.rstrip() for line in lines)


def _show(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if isinstance(value, float) else str(value)
