# ruff: noqa: ARG002  the signatures are Django's
"""Operations on many jobs: how far each has come, and the button that stops it."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.views.decorators.http import require_POST

from proj.jobs import audit, carrying_out
from proj.jobs.admin_audit import history_of
from proj.jobs.admin_list import CappedPaginator
from proj.jobs.admin_readonly import ReadOnly
from proj.jobs.models import Operation


@admin.register(Operation)
class OperationAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    change_form_template = "admin/console/operation.html"
    list_display = ["created_at", "verb", "state", "looked_at", "expected", "actor", "reason"]
    list_filter = ["state"]
    ordering = ["-id"]
    sortable_by = ["created_at"]
    show_full_result_count = False
    paginator = CappedPaginator
    actions = None
    fields = [
        "verb",
        "state",
        "progress",
        "became",
        "outcome",
        "which",
        "reason",
        "per_second",
        "most_dead",
        "actor",
        "created_at",
        "ended_at",
    ]

    @admin.display(description="so far")
    def progress(self, operation: Operation) -> str:
        return format_html(
            '<progress max="{}" value="{}"></progress> {} of {}',
            max(operation.expected, 1),
            operation.looked_at,
            f"{operation.looked_at:,}",
            f"{operation.expected:,}",
        )

    @admin.display(description="what became of them")
    def became(self, operation: Operation) -> str:
        counts = ((f"{count:,}", what) for what, count in operation.counts.items())
        return format_html_join(", ", "{} {}", counts) or "-"

    @admin.display(description="the same on the command line")
    def which(self, operation: Operation) -> str:
        return format_html("<code>{}</code>", operation.command)

    def get_urls(self) -> list[URLPattern]:
        stop = self.admin_site.admin_view(require_POST(self.stop))
        return [path("<int:pk>/stop/", stop, name="jobs_operation_stop"), *super().get_urls()]

    def stop(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Stop an operation; what is done stays done."""
        if not self.has_operate_permission(request):
            raise PermissionDenied
        reason = request.POST.get("reason", "").strip()
        if carrying_out.stop(pk, by=audit.by(request), reason=reason):
            self.message_user(request, "It is stopped. What is done stays done.", messages.SUCCESS)
        else:
            self.message_user(request, "It had ended already.", messages.WARNING)
        return HttpResponseRedirect(reverse("admin:jobs_operation_change", args=[pk]))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return history_of(f"operation:{object_id}")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        runs = context["original"].state == Operation.State.RUNNING
        context |= {"may_stop": runs and self.has_operate_permission(request), "runs": runs}
        return super().render_change_form(request, context, *args, **options)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("jobs.operate_job")
