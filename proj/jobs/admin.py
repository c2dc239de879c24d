"""Jobs in the Django admin: what is owed, why it is not running, and what people may do about it."""

import json
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django_celery_results.models import TaskResult

from proj.jobs import subjects
from proj.jobs.admin_actions import possible_for
from proj.jobs.admin_audit import history_of
from proj.jobs.admin_list import (
    CappedPaginator,
    FindFilter,
    QueueFilter,
    StateFilter,
    TaskFilter,
    meaning_of,
)
from proj.jobs.admin_operating import Operating
from proj.jobs.admin_readonly import ReadOnly
from proj.jobs.admin_timeline import tell
from proj.jobs.console import length
from proj.jobs.describing import arguments_of, state_of
from proj.jobs.models import Job
from proj.jobs.why import why

_SHOWN = 80  # characters of an error in the list
_SHORT = 8  # of an id: enough to tell two of them apart


@admin.register(Job)
class JobAdmin(ReadOnly, Operating, admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    """Everything is read from the ledger, and written by it alone."""

    list_display = ["task", "short_id", "shown_state", "queue", "about", "short_error", "attempt", "age"]
    list_filter = [FindFilter, StateFilter, QueueFilter, TaskFilter]
    search_fields = ["id"]  # for the box; see get_search_results
    search_help_text = (
        "An id, a subject (order:42), the beginning of a task's name, or a part of a dead job's error."
    )
    ordering = ["-created_at"]
    sortable_by = ["age"]  # the only order that has an index
    list_per_page = 50
    list_select_related = False
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each would count the table
    paginator = CappedPaginator
    actions = ["retry", "cancel", "bury"]
    fieldsets = [
        (None, {"fields": ["id", "explanation", "task", "shown_state", "about", "error", "result"]}),
        ("Work", {"fields": ["arguments", "queue", "priority", "attempt", "losses", "progress"]}),
        (
            "Times",
            {"fields": ["created_at", "available_at", "published_at", "claimed_at", "worker", "deadline"]},
        ),
        ("Message", {"fields": ["headers"], "classes": ["collapse"]}),
    ]

    # --- what is shown ------------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        # The message is most of a row, and a list shows none of it.
        return super().get_queryset(request).defer("message", "progress")

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002  Django's signature
        queryset: QuerySet[Job],
        search_term: str,
    ) -> tuple[QuerySet[Job], bool]:
        term = search_term.strip().replace("\0", "")
        return (meaning_of(term).narrow(queryset) if term else queryset), False

    @admin.display(description="id")
    def short_id(self, job: Job) -> str:
        return format_html('<span title="{}">{}</span>', job.pk, job.pk[:_SHORT])

    @admin.display(description="state")
    def shown_state(self, job: Job) -> str:
        return state_of(job, timezone.now()).value

    @admin.display(description="subject", ordering="subject")
    def about(self, job: Job) -> str:
        if not job.subject:
            return ""
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:jobs_job_subject", args=[job.subject]), job.subject
        )

    @admin.display(description="age", ordering="created_at")
    def age(self, job: Job) -> str:
        return length((timezone.now() - job.created_at).total_seconds())

    @admin.display(description="error")
    def short_error(self, job: Job) -> str:
        return job.error if len(job.error) <= _SHOWN else f"{job.error[:_SHOWN]}…"

    @admin.display(description="why")
    def explanation(self, job: Job) -> str:
        return why(job.pk).sentence

    @admin.display(description="arguments")
    def arguments(self, job: Job) -> str:
        args, kwargs = arguments_of(job)
        return format_html("<pre>{}</pre>", _pretty({"args": args, "kwargs": kwargs}))

    @admin.display(description="headers")
    def headers(self, job: Job) -> str:
        return format_html("<pre>{}</pre>", _pretty(job.message["headers"]))

    @admin.display(description="result")
    def result(self, job: Job) -> str:
        found = TaskResult.objects.filter(task_id=job.pk).first()
        if found is None:
            return "none yet"
        url = reverse("admin:django_celery_results_taskresult_change", args=[found.pk])
        return format_html('<a href="{}">{}</a>', url, found.status)

    def get_urls(self) -> list[URLPattern]:
        follow = self.admin_site.admin_view(self.follow_subject)
        return [path("subject/<path:label>/", follow, name="jobs_job_subject"), *super().get_urls()]

    def follow_subject(self, request: HttpRequest, label: str) -> HttpResponse:
        """Lead to the object that a job is about. It is looked up when somebody goes there, not for each row of a list."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        subject = subjects.resolve(label)
        if subject is None:
            raise Http404(f"{label} is not there any more.")
        return redirect(subject.staff_url or subject.url)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Lead to the result of a job that has ended: links to a job stay good, whatever becomes of it."""
        task_id = unquote(object_id)
        if self.has_view_permission(request) and not Job.objects.filter(pk=task_id).exists():
            ended = TaskResult.objects.filter(task_id=task_id).first()
            if ended is not None:
                return redirect("admin:django_celery_results_taskresult_change", ended.pk)
        return super().change_view(request, object_id, form_url, extra_context)

    def history_view(
        self,
        request: HttpRequest,  # noqa: ARG002  Django's signature
        object_id: str,
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        return history_of(f"job:{object_id}")

    # --- who may do what ----------------------------------------------------------------------------------------------

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        job: Job = context["original"]
        context |= {"operations": possible_for(job) if self.has_operate_permission(request) else []}
        context |= {"timeline": tell(request, job.pk, job, None)}
        return super().render_change_form(request, context, *args, **options)


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
