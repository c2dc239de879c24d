# ruff: noqa: ARG002  the signatures are Django's
"""The audit log as people read it: newest first, narrowed by who, what and on what."""

import json
from typing import Any

from django.contrib import admin
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from proj.jobs.admin_list import CappedPaginator
from proj.jobs.admin_readonly import ReadOnly
from proj.jobs.models import AuditEntry

#: Which kinds of actions there are, by one look into the index for each action: 1 ms for 36 of them in a million rows, where
#: to read them all takes 200.
_ACTIONS = """
    WITH RECURSIVE found AS (
        (SELECT action FROM jobs_auditentry ORDER BY action LIMIT 1)
        UNION ALL
        SELECT (SELECT action FROM jobs_auditentry WHERE action > found.action ORDER BY action LIMIT 1)
          FROM found WHERE found.action IS NOT NULL
    )
    SELECT DISTINCT split_part(action, '.', 1) AS kind FROM found WHERE action IS NOT NULL ORDER BY kind
"""


class KindFilter(admin.SimpleListFilter):
    """Names the kinds of deeds that there are: any app may write down its own."""

    title = "action"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        with connection.cursor() as cursor:
            cursor.execute(_ACTIONS)
            return [(kind, kind) for (kind,) in cursor.fetchall()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset.filter(action__startswith=f"{self.value()}.") if self.value() else queryset


@admin.register(AuditEntry)
class AuditAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    list_display = ["at", "actor", "action", "target", "reason"]
    list_filter = [KindFilter]  # and ?target=..., from a link
    search_fields = ["actor"]  # for the box; see get_search_results
    search_help_text = "A person, a target (job:ID, queue:bulk), an action (queue.pause)."
    ordering = ["-id"]
    sortable_by = ["at"]
    list_per_page = 50
    show_full_result_count = False
    paginator = CappedPaginator
    fields = ["at", "actor", "actor_id", "origin", "action", "target", "reason", "was", "became"]
    actions = None

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        """One question at a time, because each has an index of its own and all at once have none."""
        term = search_term.strip().replace("\0", "")
        if not term:
            return queryset, False
        column = "target" if ":" in term else "action" if "." in term else "actor"
        return queryset.filter(**{column: term}), False

    @admin.display(description="before")
    def was(self, entry: AuditEntry) -> str:
        return _pretty(entry.before)

    @admin.display(description="after")
    def became(self, entry: AuditEntry) -> str:
        return _pretty(entry.after)


def _pretty(value: Any) -> str:
    if value is None:
        return "-"
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False))
