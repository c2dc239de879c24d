from django.contrib import admin

from orders.admin.readonly import ReadOnly, link
from orders.money import format_money
from orders.payments.models import PaymentAttempt


@admin.register(PaymentAttempt)
class PaymentAttemptAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Read only: an attempt is what happened at the provider, and nobody can change that here."""

    list_display = [
        "idempotency_key",
        "shown_order",
        "state",
        "money",
        "given_back",
        "provider_ref",
        "updated_at",
    ]
    list_filter = ["state", "currency", "created_at"]
    list_select_related = ["order"]
    # By order number, the order's public id, the provider's id or the key.
    search_fields = ["=order__id", "^order__public_id", "=provider_ref", "=idempotency_key"]
    date_hierarchy = "created_at"
    show_full_result_count = False  # a count of all payments, for a number that nobody needs
    fields = [
        ("shown_order", "number"),
        ("state", "provider_ref"),
        ("money", "given_back", "payment_method"),
        "idempotency_key",
        ("error_code", "error_detail"),
        ("created_at", "updated_at"),
    ]

    @admin.display(description="order", ordering="order")
    def shown_order(self, attempt: PaymentAttempt) -> str:
        return link(attempt.order)

    @admin.display(description="amount", ordering="amount")
    def money(self, attempt: PaymentAttempt) -> str:
        return format_money(attempt.amount, attempt.currency)

    @admin.display(description="given back", ordering="refunded")
    def given_back(self, attempt: PaymentAttempt) -> str:
        """What has gone back or is about to, as a part of what was taken."""
        return format_money(attempt.refunded, attempt.currency) if attempt.refunded else ""
