"""The parts of the Jobs admin that keep it fast over a million rows: filters that ask nobody, and a count with an end."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from celery import current_app
from django.conf import settings
from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from proj.jobs.arguments import moment
from proj.jobs.models import Job
from proj.jobs.selecting import Owed, Selection

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


class _Choice(admin.SimpleListFilter):
    """One of several, of which the table is not asked which there are. What is none of them narrows nothing."""

    parameter_name: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:  # noqa: ARG002  Django's
        return selection_of({self.parameter_name: self.value() or ""}).narrow(queryset)


class StateFilter(_Choice):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [(state.value, state.value) for state in Owed]


class QueueFilter(_Choice):
    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [(queue.name, queue.name) for queue in settings.CELERY_TASK_QUEUES]


class TaskFilter(_Choice):
    title = "task"
    parameter_name = "task"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [(name, name) for name in task_names()]


class FindFilter(admin.ListFilter):
    """What a person types: an argument, a part of the error, a stretch of time. A form, which needs no script."""

    title = "words and times"
    template = "admin/jobs/job/find.html"
    labels: Mapping[str, tuple[str, str]] = {
        "argument": ("Argument", "42 or sku=ABC"),
        "error": ("Part of the error", "timed out"),
        "since": ("Enqueued since", "2h, 3d or 2026-11-20T08:00"),
        "until": ("Enqueued until", "30m"),
    }

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        for name in self.expected_parameters():
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1]

    def expected_parameters(self) -> list[str | None]:
        return list(self.labels)

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:  # noqa: ARG002
        return selection_of(self.used_parameters).narrow(queryset)

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        """Return the fields of the form, and what else it has to hand on; not the page, which would be another one's."""
        others = changelist.get_filters_params(self.request.GET)
        yield {"hidden": [(name, others[name]) for name in others if name not in self.labels]}
        understood = selection_of(self.used_parameters)
        for name, (label, hint) in self.labels.items():
            text = str(self.used_parameters.get(name, ""))
            is_lost = bool(text.strip()) and not getattr(understood, name)
            yield {"name": name, "label": label, "hint": hint, "text": text, "is_lost": is_lost}


def task_names() -> list[str]:
    """Return the names of the tasks that the project knows, without Celery's own."""
    return sorted(name for name in current_app.tasks if not name.startswith("celery."))


def selection_of(given: Mapping[str, Any]) -> Selection:
    """Return what the parameters of a list mean; what makes no sense, such as a state that there is not, is left out."""
    known = {field.name for field in fields(Selection)} - {"ids"}
    words = {name: str(given[name]).strip().replace("\0", "") for name in known & given.keys()}
    understood: dict[str, Any] = {name: text for name, text in words.items() if text}
    if understood.get("state") not in list(Owed):
        understood.pop("state", None)
    for name in {"since", "until"} & understood.keys():
        try:
            understood[name] = moment(understood[name])
        except (ValueError, OverflowError):
            del understood[name]
    return Selection(**understood)


def meaning_of(term: str) -> Selection:
    """Return what a person may mean by a term: an id, a subject, the beginning of a task's name, or a part of an error.

    One question at a time, because each has an index of its own and all at once have none. An error is looked for among
    dead jobs.
    """
    if Job.objects.filter(pk=term).exists():
        return Selection(ids=[term])
    if Job.objects.filter(subject=term).exclude(subject="").exists():
        return Selection(subject=term)
    if any(name.startswith(term) for name in task_names()):
        return Selection(task=f"{term}*")
    return Selection(state=Owed.DEAD.value, error=term)


def meant_by(parameters: Mapping[str, Any]) -> Selection:
    """Return which jobs a list with these parameters shows: its filters and its search in one.

    Raises:
        ValueError: they say two things about the same, which one selection cannot.

    """
    filters, term = selection_of(parameters), str(parameters.get("q", "")).strip().replace("\0", "")
    searched = meaning_of(term) if term else Selection()
    both = {
        field.name
        for field in fields(Selection)
        if getattr(filters, field.name) and getattr(searched, field.name)
    }
    unclear = sorted(name for name in both if getattr(filters, name) != getattr(searched, name))
    if unclear:
        raise ValueError(f"The search and the filters say different things about: {', '.join(unclear)}.")
    merged = {
        field.name: getattr(searched, field.name) or getattr(filters, field.name)
        for field in fields(Selection)
    }
    return Selection(**merged)
