"""The whole flow of a report as Celery canvas, in one place.

    start_report  ->  chord( sum_days(first chunk) ... sum_days(last chunk) )  ->  write_report
    any of them fails for good                                                 ->  fail_report

Tasks are named, not imported: services start the pipeline and tasks call services.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from celery import Signature, chord, signature

# A month of 100,000 sales is summed in 120 ms (measured among 300,000), so a chunk is short; a year is 12 messages.
CHUNK_DAYS = 31


def start(report_id: int) -> None:
    """Send one message that starts the report.

    One, because each message may cost a web request two seconds while the broker hangs; a worker sends the rest.
    """
    _step("reports.start_report", report_id).delay()


def sum_and_write(report_id: int, missing: Sequence[date], task_id: str) -> None:
    """Sum the days that are missing, in chunks side by side, then write the file.

    Args:
        report_id: the report's primary key.
        missing: days not summed yet, in order; none means that only the file is owed.
        task_id: the id that the task writing the file gets; people follow the report by it.
    """
    write = _step("reports.write_report", report_id).set(task_id=task_id)
    parts = [
        _step("reports.sum_days", report_id, first.isoformat(), last.isoformat())
        for first, last in chunks(missing)
    ]
    (chord(parts, write) if parts else write).apply_async()


def _step(name: str, report_id: int, *args: str) -> Signature:
    """Return one task of the report, with the errback: Celery does not hand a chord's errback to its parts."""
    step = signature(name, args=(report_id, *args), immutable=True)
    return step.on_error(signature("reports.fail_report", args=(report_id,)))


def chunks(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    """Cut sorted days into runs without a gap, each of at most ``CHUNK_DAYS``: (first, last), both included."""
    start_at = 0
    for at in range(1, len(days) + 1):
        is_gap = at == len(days) or days[at] - days[at - 1] != timedelta(days=1)
        if is_gap or at - start_at == CHUNK_DAYS:
            yield days[start_at], days[at - 1]
            start_at = at
