import json

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.text import get_text_list

from orders.admin.readonly import ReadOnly
from orders.payments import receiving
from orders.payments.models import WebhookEvent
from proj.jobs import audit


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Read only: an event is what the provider has said. What came of it may be looked into again."""

    list_display = ["event_id", "kind", "object_ref", "state", "detail", "created_at", "received_at"]
    list_filter = ["state", "received_at"]
    # Exactly, and not whatever the case: that would use no index of a table that grows with every payment.
    search_fields = ["event_id__exact", "object_ref__exact"]
    search_help_text = "The provider's id of the event (evt_...) or of what it is about (pi_..., re_...)."
    date_hierarchy = "received_at"
    show_full_result_count = False
    fields = [
        ("event_id", "kind", "object_ref"),
        ("state", "detail"),
        ("created_at", "received_at", "settled_at"),
        "content",
    ]
    actions = ["process_again"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEvent]:
        events = super().get_queryset(request)
        # A list shows none of the payloads, which are kilobytes each.
        return (
            events
            if request.resolver_match and "object_id" in request.resolver_match.kwargs
            else events.defer("payload")
        )

    def content(self, event: WebhookEvent) -> str:
        """As it came; nothing in it is believed."""
        return format_html("<pre>{}</pre>", json.dumps(event.payload, indent=2))

    def has_process_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.change_webhookevent")

    @admin.action(description="Process selected events again", permissions=["process"])
    def process_again(self, request: HttpRequest, events: QuerySet[WebhookEvent]) -> None:
        if not self.has_process_permission(request):
            raise PermissionDenied
        enqueued = []
        for event in events.order_by("pk"):
            was = {"state": event.state, "detail": event.detail}
            with transaction.atomic():
                receiving.process_again(event)
                audit.record(audit.by(request), "event.process", f"event:{event.pk}", before=was)
            enqueued.append(event.event_id)
        text = f"These will be looked into again: {get_text_list(enqueued, 'and')}."
        self.message_user(request, text, messages.SUCCESS)
