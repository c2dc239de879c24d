"""Results as people read them. Not to be deleted by hand: an id whose SUCCESS is gone could be enqueued again."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote, unquote
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django_celery_results import admin as upstream
from django_celery_results.models import GroupResult, TaskResult

from proj.jobs import subjects
from proj.jobs.admin_audit import history_of
from proj.jobs.admin_list import CappedPaginator
from proj.jobs.admin_readonly import ReadOnly
from proj.jobs.admin_timeline import tell
from proj.jobs.describing import meta_of
from proj.jobs.models import Job

admin.site.unregister(TaskResult)
# Groups are counted by the ledger's chords; this table stays empty.
admin.site.unregister(GroupResult)


@admin.register(TaskResult)
class ResultAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    """Listed and narrowed by what has an index: at a million results the rest takes seconds."""

    change_form_template = "admin/jobs/timeline_change_form.html"
    fieldsets = [("Where it belongs", {"fields": ["about", "owed"]}), *upstream.TaskResultAdmin.fieldsets]
    readonly_fields = ["about", "owed"]
    list_display = ["task_id", "task_name", "status", "worker", "date_done"]
    list_filter = ["status"]
    search_fields = upstream.TaskResultAdmin.search_fields
    search_help_text = "Words of the id, the task, the arguments, the status. Reads every result: some seconds for a million."
    ordering = ["-date_done"]
    sortable_by = ["date_done"]
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = CappedPaginator

    @admin.display(description="subject")
    def about(self, result: TaskResult) -> str:
        """The order, avatar or report that the task worked on: by what the ledger noted, or by what its app knows."""
        label = meta_of(result).get("subject")
        subject = (subjects.resolve(label) if label else None) or subjects.find(result.task_id)
        if subject is None:
            return f"{label}, which is not there any more" if label else "none"
        return format_html('<a href="{}">{}</a>', subject.staff_url or subject.url, subject.label)

    @admin.display(description="job")
    def owed(self, result: TaskResult) -> str:
        """Its row in the ledger, of one that is dead or was enqueued again."""
        job = Job.objects.filter(pk=result.task_id).only("state").first()
        if job is None:
            return "ended: nothing is owed"
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:jobs_job_change", args=[quote(job.pk)]), job.state
        )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        result: TaskResult = context["original"]
        job = Job.objects.filter(pk=result.task_id).defer("message").first()
        context |= {"timeline": tell(request, result.task_id, job, result)}
        return super().render_change_form(request, context, *args, **options)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to what people did to the job, for those who may read it: nobody changes a result."""
        result = self.get_object(request, unquote(object_id))
        if result is None or not request.user.has_perm("jobs.view_auditentry"):
            return super().history_view(request, object_id, extra_context)
        return history_of(f"job:{result.task_id}")
