"""The files of reports: written aside under a fresh name, so that publishing one is a change of one row."""

import io
import tempfile
import uuid
from collections.abc import Callable, Iterator

from django.core.files import File
from django.http import FileResponse

from reports import exports
from reports.models import Report, private_storage

Progress = Callable[[int, int, str], None]

HEADER = ("day", "currency", "orders", "items", "amount")
# A report of a year in five currencies has 1,830 rows, so people see it move; storing the state is one UPDATE.
ROWS_PER_PROGRESS = 500


def write(report: Report, progress: Progress) -> tuple[str, int]:
    """Write the report's rows to its storage, where nothing refers to the file yet.

    Args:
        report: one whose days have all been summed.
        progress: told (rows written, rows in all, step) every ``ROWS_PER_PROGRESS`` rows and at the end.

    Returns:
        The file's name in the storage, and its rows without the header.
    """
    # A fresh name for each run: two runs of one task never write to the same file.
    name = f"{folder(report)}/{uuid.uuid4()}.csv"
    with tempfile.TemporaryFile() as scratch, io.TextIOWrapper(scratch, encoding="utf-8", newline="") as text:
        count = exports.write_csv(text, HEADER, rows(report, progress))
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
