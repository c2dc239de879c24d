"""The row of django-celery-results that tells a task's outcome: what is in it, and how it is stored once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a result row says, in django-celery-results' columns; text is encoded already."""

    task_id: str
    status: str
    result: str | None
    traceback: str | None
    meta: str | None
    content_type: str
    content_encoding: str
    task_name: str | None
    task_args: str | None
    task_kwargs: str | None
    worker: str | None
    periodic_task_name: str | None
    date_done: datetime

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "task_id",
        "status",
        "result",
        "traceback",
        "meta",
        "content_type",
        "content_encoding",
        "task_name",
        "task_args",
        "task_kwargs",
        "worker",
        "periodic_task_name",
        "date_done",
    )

    def values(self) -> list[Any]:
        """Return the values of ``COLUMNS``."""
        return [getattr(self, column) for column in self.COLUMNS]


_UPDATED = [*Outcome.COLUMNS[1:], "date_started"]

#: The end of an INSERT of a result: the first SUCCESS stays, whatever comes after it.
STORE_ON_CONFLICT = f"""
    ON CONFLICT (task_id) DO UPDATE
       SET {", ".join(f"{column} = excluded.{column}" for column in _UPDATED)}
     WHERE django_celery_results_taskresult.status <> 'SUCCESS'
"""  # noqa: S608  our own column names

STORE = f"""
    INSERT INTO django_celery_results_taskresult ({", ".join(Outcome.COLUMNS)}, date_created, date_started)
    VALUES ({", ".join(["%s"] * len(Outcome.COLUMNS))}, clock_timestamp(), NULL)
    {STORE_ON_CONFLICT}
"""  # noqa: S608
