"""The parts of the Jobs admin that keep it fast over a million rows: filters that ask nobody, and a count with an end."""

from typing import Any

from celery import current_app
from django.conf import settings
from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from proj.jobs.models import Job
from proj.jobs.selecting import Owed, in_state

#: Jobs are counted, and paged through, up to here: nobody reads further, and counting a million takes half a second.
MOST_COUNTED = 10_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]  # generic for mypy only
    """Counts up to ``MOST_COUNTED``; there are no pages beyond."""

    most = MOST_COUNTED

    @cached_property
    def count(self) -> int:
        """How many there are, or ``MOST_COUNTED`` for that many and more."""
        jobs: QuerySet[Job] = self.object_list  # type: ignore[assignment]
        return jobs.order_by().values("pk")[: self.most].count()


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  Django's
        return [(state.value, state.value) for state in Owed]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:  # noqa: ARG002
        value = self.value()
        return queryset.filter(in_state(Owed(value))) if value in list(Owed) else queryset


class QueueFilter(admin.SimpleListFilter):
    """Names the queues of the settings: the table is not asked which there are."""

    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [(queue.name, queue.name) for queue in settings.CELERY_TASK_QUEUES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:  # noqa: ARG002
        return queryset.filter(queue=self.value()) if self.value() else queryset


class TaskFilter(admin.SimpleListFilter):
    """Names the tasks that the project knows: the table is not asked which there are."""

    title = "task"
    parameter_name = "task"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [(name, name) for name in task_names()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:  # noqa: ARG002
        return queryset.filter(task=self.value()) if self.value() else queryset


def task_names() -> list[str]:
    """Return the names of the tasks that the project knows, without Celery's own."""
    return sorted(name for name in current_app.tasks if not name.startswith("celery."))


def search(jobs: QuerySet[Job], term: str) -> QuerySet[Job]:
    """Return the jobs that a person may mean by a term: by id, by subject, by the beginning of a task's name, or by error.

    One question at a time, because each has an index of its own and all at once have none. An error is looked for among
    dead jobs.
    """
    for found in (jobs.filter(pk=term), jobs.filter(subject=term).exclude(subject="")):
        if found.exists():
            return found
    tasks = [name for name in task_names() if name.startswith(term)]
    if tasks:
        return jobs.filter(task__in=tasks)
    return jobs.filter(in_state(Owed.DEAD), error__icontains=term)
