# ruff: noqa: ARG002  the signatures are Django's
"""Results as people read them. Not to be deleted by hand: an id whose SUCCESS is gone could be enqueued again."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django_celery_results import admin as upstream
from django_celery_results.models import GroupResult, TaskResult

from proj.jobs.admin_list import CappedPaginator

admin.site.unregister(TaskResult)
# Groups are counted by the ledger's chords; this table stays empty.
admin.site.unregister(GroupResult)


@admin.register(TaskResult)
class ResultAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    """Listed and narrowed by what has an index: at a million results the rest takes seconds."""

    fieldsets = upstream.TaskResultAdmin.fieldsets
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

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
