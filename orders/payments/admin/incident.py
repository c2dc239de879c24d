# ruff: noqa: ARG002  the signatures are Django's
import json
from typing import Any

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join

from orders.admin.readonly import ReadOnly, link
from orders.payments.admin.resolving import close, repair
from orders.payments.models import Incident, PaymentAttempt, Refund
from orders.payments.reconciling import can_repair
from proj.jobs.admin_audit import history_of

_SHOWN = 100  # characters of a summary in the list
# What each side of a difference is called; what the others of `detail` are called is their key.
SIDES = {"provider": "at the provider", "here": "here", "books": "in the books"}


class StateFilter(SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("closed", "Closed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Incident]) -> QuerySet[Incident] | None:
        if self.value() is None:
            return queryset
        return queryset.filter(closed_at__isnull=self.value() == "open")


@admin.register(Incident)
class IncidentAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """What differs, with both sides. It is repaired as suggested, or closed with a reason; nobody edits it."""

    list_display = ["shown_kind", "state", "shown_summary", "shown_order", "opened_at", "seen_at"]
    list_filter = [StateFilter, "kind", "opened_at"]
    list_select_related = ["order"]
    search_fields = ["=order__id", "^order__public_id", "=fingerprint", "summary"]
    search_help_text = (
        "An order's number or public id, the provider's id (pi_..., re_...) or words of the summary."
    )
    ordering = [F("closed_at").desc(nulls_first=True), "-pk"]
    date_hierarchy = "opened_at"
    show_full_result_count = False
    actions = ["repair", "close"]
    fieldsets = [
        (None, {"fields": ["shown_kind", "summary", "shown_order", "about", "repair"]}),
        ("Both sides, when it was last found", {"fields": ["sides", "seen_at", "opened_at"]}),
        ("How it ended", {"fields": [("closed_at", "closed_by"), "outcome"]}),
    ]

    # --- what is shown ------------------------------------------------------------------------------------------------

    @admin.display(description="kind", ordering="kind")
    def shown_kind(self, incident: Incident) -> str:
        return incident.get_kind_display()

    @admin.display(ordering="closed_at")
    def state(self, incident: Incident) -> str:
        return "open" if incident.is_open else "closed"

    @admin.display(description="summary")
    def shown_summary(self, incident: Incident) -> str:
        text = incident.summary
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"

    @admin.display(description="order", ordering="order")
    def shown_order(self, incident: Incident) -> str:
        return link(incident.order) if incident.order is not None else "-"

    @admin.display(description="about")
    def about(self, incident: Incident) -> str:
        """What it is about, and our rows that know it."""
        name = incident.fingerprint
        attempts = PaymentAttempt.objects.filter(provider_ref=name).exclude(provider_ref="")
        refunds = Refund.objects.filter(provider_ref=name).exclude(provider_ref="")
        if incident.order_id is not None and not name.startswith("re_"):
            attempts |= PaymentAttempt.objects.filter(order=incident.order_id)
        rows = [link(row) for row in (*attempts, *refunds)]
        return format_html("<code>{}</code> {}", name, format_html_join(" ", "({})", ([row] for row in rows)))

    @admin.display(description="")
    def sides(self, incident: Incident) -> str:
        """A table for each side: the same words beside each other can be compared."""
        return format_html_join(
            "",
            "<h3>{}</h3>{}",
            (
                (SIDES.get(side, side), _tell(facts))
                for side, facts in incident.detail.items()
                if facts not in (None, "", [])
            ),
        )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        incident: Incident = context["original"]
        allowed = incident.is_open and self.has_resolve_permission(request)
        context |= {"may_close": allowed, "may_repair": allowed and can_repair(incident)}
        return super().render_change_form(request, context, *args, **options)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return history_of(f"incident:{object_id}")

    # --- what is done -------------------------------------------------------------------------------------------------

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        """Whether the person may repair and close incidents."""
        return request.user.has_perm("payments.resolve_incident")

    @admin.action(description="Repair selected incidents as suggested", permissions=["resolve"])
    def repair(self, request: HttpRequest, incidents: QuerySet[Incident]) -> HttpResponse | None:
        if not self.has_resolve_permission(request):
            raise PermissionDenied
        return repair(self, request, incidents)

    @admin.action(description="Close selected incidents with a reason", permissions=["resolve"])
    def close(self, request: HttpRequest, incidents: QuerySet[Incident]) -> HttpResponse | None:
        if not self.has_resolve_permission(request):
            raise PermissionDenied
        return close(self, request, incidents)


def _tell(facts: Any) -> str:
    """The facts of one side, a row for each; what is not a list of names and values is shown as it is."""
    if not isinstance(facts, dict):
        return format_html("<p>{}</p>", _words(facts))
    rows = ((name, _words(value)) for name, value in facts.items())
    return format_html(
        "<table><tbody>{}</tbody></table>",
        format_html_join("", '<tr><th scope="row">{}</th><td>{}</td></tr>', rows),
    )


def _words(value: Any) -> str | int:
    return value if isinstance(value, str | int) else json.dumps(value)
