"""The files of reports: written aside under a fresh name, so that publishing one is a change of one row."""

import contextlib
import io
import tempfile
import uuid
from collections.abc import Callable, Iterator

from django.core.files import File
from django.http import FileResponse
from django.utils import timezone

from reports import exports, order_rows
from reports.errors import EndedMeanwhile
from reports.models import Report, private_storage

Progress = Callable[[int, int, str], None]

HEADER = ("day", "currency", "orders", "items", "amount")
# A report of a year in five currencies has 1,830 rows, so people see it move; storing the state is one UPDATE.
ROWS_PER_PROGRESS = 500
# Some 20,000 are written in a second.
ORDERS_PER_PROGRESS = 5_000


def write(report: Report, progress: Progress) -> tuple[str, int]:
    """Write the report's rows to its storage, where nothing refers to the file yet.

    Args:
        report: one whose days have all been summed, or an export of orders.
        progress: told (rows written, rows in all, step) every ``ROWS_PER_PROGRESS`` rows and at the end.

    Returns:
        The file's name in the storage, and its rows without the header.

    Raises:
        EndedMeanwhile: the report was cancelled; nothing was stored.
    """
    # A fresh name for each run: two runs of one task never write to the same file.
    name = f"{folder(report)}/{uuid.uuid4()}.csv"
    with tempfile.TemporaryFile() as scratch, io.TextIOWrapper(scratch, encoding="utf-8", newline="") as text:
        count = (
            exports.write_csv(text, order_rows.HEADER, told(report, progress))
            if report.is_export
            else exports.write_csv(text, HEADER, rows(report, progress))
        )
        text.flush()
        saved = private_storage().save(name, File(scratch))
    return saved, count


def rows(report: Report, progress: Progress) -> Iterator[tuple[exports.Cell, ...]]:
    """Stream the report's rows in the order of their days, amounts in major units."""
    days = report.days.order_by("day", "currency")
    total = days.count()
    for done, day in enumerate(days.iterator(chunk_size=ROWS_PER_PROGRESS), start=1):
        yield (
            day.day.isoformat(),
            day.currency,
            day.orders,
            day.items,
            exports.in_major_units(day.amount, day.currency),
        )
        if done % ROWS_PER_PROGRESS == 0 or done == total:
            progress(done, total, "writing")


def told(report: Report, progress: Progress) -> Iterator[tuple[exports.Cell, ...]]:
    """Stream the orders of an export, and note in its row how far it is; that is also how it learns that it has ended."""
    total, done = report.progress_total, 0
    with contextlib.closing(order_rows.rows(report)) as orders:
        for done, row in enumerate(orders, start=1):
            yield row
            if done % ORDERS_PER_PROGRESS == 0:
                note(report, done, max(done, total))
                progress(done, max(done, total), "writing")
    note(report, done, done)


def note(report: Report, done: int, total: int) -> None:
    moved = Report.objects.unfinished().filter(pk=report.pk)
    if not moved.update(progress_done=done, progress_total=total, updated_at=timezone.now()):
        raise EndedMeanwhile


def download(report: Report) -> FileResponse:
    """Stream the file of a ready report. Who may read it is the caller's to check."""
    response = FileResponse(
        private_storage().open(str(report.file)), as_attachment=True, filename=report.file_name
    )
    response["Cache-Control"] = "private, no-store"
    return response


def discard(name: str) -> None:
    """Delete a file that was written but not published, or one whose report goes. Missing is fine."""
    private_storage().delete(name)


def folder(report: Report) -> str:
    """Name the folder with everything that was ever written for the report."""
    return str(report.public_id)


def discard_all(report: Report) -> None:
    """Delete the published file and whatever a run that was killed left beside it."""
    storage = private_storage()
    try:
        _, names = storage.listdir(folder(report))
    except FileNotFoundError:
        return
    for name in names:
        storage.delete(f"{folder(report)}/{name}")
    # FileSystemStorage deletes an empty directory as it deletes a file; object storages have no directories.
    storage.delete(folder(report))
