"""A report as people read it in a terminal."""

from collections import Counter
from collections.abc import Iterator, Sequence

from django.core.management.base import OutputWrapper

from orders.money import format_money
from orders.payments.models import IncidentKind
from orders.payments.reconciling.running import Report

#: Differences of one kind that are named one by one; the others are in the admin, and in --json.
NAMED = 10


def lines_of(report: Report) -> Iterator[str]:
    """The figures, what differs by kind, and the state of things in one sentence."""
    totals = report.totals
    window = report.window
    yield f"From {window.since:%Y-%m-%d %H:%M} to {window.until:%Y-%m-%d %H:%M} UTC."
    yield (
        f"Compared {totals.payments:,} payments and {totals.refunds:,} refunds in {report.seconds:.1f} s; "
        f"{totals.in_flight:,} in flight, {totals.foreign:,} not of this shop."
    )
    yield ""
    yield from _figures(report)
    for kind in IncidentKind:
        found = [difference for difference in report.differences if difference.kind == kind]
        if found:
            yield f"{kind.label} ({len(found):,})"
            for difference in found[:NAMED]:
                yield f"  {difference.summary}"
                yield f"    -> {difference.repair or 'Only people can mend this.'}"
            if len(found) > NAMED:
                yield f"  and {len(found) - NAMED:,} more"
    yield _conclusion(report)


def kinds_of(kinds: Sequence[str]) -> str:
    """How many of which, such as: 2 captured_twice, 1 stock_differs."""
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(Counter(kinds).items()))


def _figures(report: Report) -> Iterator[str]:
    """What each ledger has of each currency; the last column is what the provider has and we do not."""
    rows = [["", "CAPTURED", "GIVEN BACK", "KEPT", "DIFFERENCE"]]
    for currency in sorted(report.totals.currencies):
        figures = report.totals.currencies[currency]
        for name, side in (
            ("provider", figures.provider),
            ("payments", figures.here),
            ("books", figures.books),
        ):
            sums = [side.captured, side.returned, side.kept, figures.provider.kept - side.kept]
            rows.append([f"{currency} {name}", *(format_money(each, currency) for each in sums)])
    if len(rows) == 1:
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        name, *cells = (text.rjust(width) for text, width in zip(row, widths, strict=True))
        yield "  ".join([row[0].ljust(len(name)), *cells])
    yield ""


def _conclusion(report: Report) -> str:
    said = f"{report.open:,} open." if report.open else "Nothing is open: everything agrees."
    if report.gone:
        said += f" {report.gone:,} incidents are closed, because their difference is gone."
    if report.accepted:
        said += f" {report.accepted:,} differences are known and accepted."
    return said


class Meter:
    """How far the comparison has come, on a terminal; nothing where nobody looks. How much there is, nobody knows: the
    provider does not count.
    """

    def __init__(self, out: OutputWrapper) -> None:
        self.out = out
        self.shows = out.isatty()
        self.counts: Counter[str] = Counter()

    def advance(self, what: str, count: int) -> None:
        self.counts[what] += count
        if self.shows:
            self.out.write(f"\r\033[K{self.counts[what]:,} {what} compared", ending="")
            self.out.flush()

    def clear(self) -> None:
        if self.shows:
            self.out.write("\r\033[K", ending="")
