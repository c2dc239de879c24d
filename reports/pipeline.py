"""The whole flow of a report as one Celery canvas.

    chord( sum_days(first chunk) ... sum_days(last chunk) )  ->  write_report
    any of them fails for good                               ->  fail_report

Tasks are named, not imported: services start the pipeline and tasks call services.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from celery import chord, signature

# One query sums a month of 100,000 sales in 60 ms here, so a chunk is short, and a year is 12 messages.
CHUNK_DAYS = 31


def start(report_id: int, missing: Sequence[date]) -> str:
    """Sum the days that are missing, in chunks side by side, then write the file.

    Args:
        report_id: the report's primary key.
        missing: days not summed yet, in order; none means that only the file is owed.

    Returns:
        The id of the task that writes the file.
    """
    failed = signature("reports.fail_report", args=(report_id,))
    write = signature("reports.write_report", args=(report_id,), immutable=True).on_error(failed)
    maps = [
        # On each part too: Celery hands the failure of a part to the body's errbacks only inside a chord, and it
        # turns a chord of one part into a chain.
        signature(
            "reports.sum_days", args=(report_id, first.isoformat(), last.isoformat()), immutable=True
        ).on_error(failed)
        for first, last in chunks(missing)
    ]
    result = chord(maps, write).apply_async() if maps else write.apply_async()
    return str(result.id)


def chunks(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    """Cut sorted days into runs without a gap, each of at most ``CHUNK_DAYS``: (first, last), both included."""
    start_at = 0
    for at in range(1, len(days) + 1):
        is_gap = at == len(days) or days[at] - days[at - 1] != timedelta(days=1)
        if is_gap or at - start_at == CHUNK_DAYS:
            yield days[start_at], days[at - 1]
            start_at = at
