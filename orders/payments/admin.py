from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from orders.payments.models import PaymentAttempt


@admin.register(PaymentAttempt)
class PaymentAttemptAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Read only: an attempt is what happened at the provider, and nobody can change that here."""

    list_display = ["idempotency_key", "order", "state", "amount", "currency", "provider_ref", "updated_at"]
    list_filter = ["state", "created_at"]
    list_select_related = ["order"]
    # By order number, the order's public id, the provider's id or the key.
    search_fields = ["=order__id", "^order__public_id", "=provider_ref", "=idempotency_key"]
    date_hierarchy = "created_at"
    show_full_result_count = False  # a count of all payments, for a number that nobody needs

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False
