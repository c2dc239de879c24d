from django.contrib import admin

from orders.admin.readonly import ReadOnly, link
from orders.money import format_money
from orders.payments.models import Refund


@admin.register(Refund)
class RefundAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Read only: money is given back on the page of its order."""

    list_display = [
        "number",
        "shown_order",
        "money",
        "state",
        "reason",
        "requested_by",
        "provider_ref",
        "created_at",
    ]
    list_filter = ["state", "currency", "created_at"]
    list_select_related = ["attempt__order"]
    search_fields = ["=attempt__order__id", "^attempt__order__public_id", "=provider_ref", "=idempotency_key"]
    search_help_text = "An order's number or public id, the provider's id (re_...) or the key."
    date_hierarchy = "created_at"
    show_full_result_count = False
    fields = [
        ("shown_order", "shown_attempt"),
        ("money", "state", "provider_ref"),
        ("reason", "requested_by"),
        "idempotency_key",
        ("error_code", "error_detail"),
        ("created_at", "updated_at"),
    ]

    @admin.display(description="refund", ordering="pk")
    def number(self, refund: Refund) -> int:
        return refund.pk

    @admin.display(description="order", ordering="attempt__order")
    def shown_order(self, refund: Refund) -> str:
        return link(refund.attempt.order)

    @admin.display(description="payment")
    def shown_attempt(self, refund: Refund) -> str:
        return link(refund.attempt)

    @admin.display(description="amount", ordering="amount")
    def money(self, refund: Refund) -> str:
        return format_money(refund.amount, refund.currency)
