from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import pluralize
from django.utils.html import format_html

from proj.jobs import audit
from proj.jobs.admin_links import job_link
from reports import services
from reports.models import Report


@admin.register(Report)
class ReportAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    """Reports are looked at here, and cancelled; they are asked for on their page or through the API."""

    list_display = ["__str__", "status", "done", "rows", "owner", "created_at", "finished_at"]
    list_filter = ["status", "kind", "created_at"]
    list_select_related = ["owner"]
    search_fields = ["public_id", "task_id", "owner__username", "error"]
    date_hierarchy = "created_at"
    actions = ["cancel_reports"]
    exclude = ["file", "task_id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Report]:
        return super().get_queryset(request) & Report.objects.visible_to(request.user)

    @admin.display(description="done")
    def done(self, report: Report) -> str:
        return f"{report.progress_done} of {report.progress_total} {report.counts}"

    @admin.display(description="page")
    def page(self, report: Report) -> str:
        return format_html('<a href="{}">{}</a>', report.get_absolute_url(), report.public_id)

    @admin.display(description="job")
    def job(self, report: Report) -> str:
        """The task that writes the file: while it is owed, and its result afterwards."""
        return job_link(report.task_id)

    def get_readonly_fields(self, request: HttpRequest, obj: Report | None = None) -> list[str]:  # noqa: ARG002
        hidden = {"file", "task_id"}
        return [field.name for field in Report._meta.fields if field.name not in hidden] + ["page", "job"]  # noqa: SLF001

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  a row alone starts no work
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Report | None = None) -> bool:  # noqa: ARG002
        return False  # the nightly clean-up deletes a report together with its file

    @admin.action(description="Cancel the selected reports", permissions=["change"])
    def cancel_reports(self, request: HttpRequest, reports: QuerySet[Report]) -> None:
        if not self.has_change_permission(request):
            raise PermissionDenied
        by = audit.by(request)
        cancelled = sum(services.cancel_report(pk, by=by) for pk in reports.values_list("pk", flat=True))
        text = f"{cancelled} report{pluralize(cancelled)} cancelled. What had ended stays as it was."
        self.message_user(request, text, messages.SUCCESS)
