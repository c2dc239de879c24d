from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import get_text_list

from orders import services
from orders.admin.inlines import (
    IncidentInline,
    NotificationInline,
    OrderEventInline,
    OrderLineInline,
    OrderStepInline,
    PaymentInline,
)
from orders.admin.readonly import ReadOnly
from orders.errors import TooLate
from orders.models import Order
from orders.money import format_money


@admin.register(Order)
class OrderAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    list_display = ["number", "public_id", "customer", "status", "total", "express", "placed_at"]
    list_filter = ["status", "express", "currency", "placed_at"]
    list_select_related = ["customer"]
    search_fields = ["public_id", "customer__username", "customer__email"]
    date_hierarchy = "placed_at"
    show_full_result_count = (
        False  # counting a large table to say how few are shown costs more than showing them
    )
    fields = [
        ("public_id", "customer"),
        ("status", "reason"),
        ("total", "payment_method", "express"),
        ("placed_at", "updated_at"),
    ]
    inlines = [
        OrderLineInline,
        PaymentInline,
        IncidentInline,
        NotificationInline,
        OrderStepInline,
        OrderEventInline,
    ]
    actions = ["cancel"]

    @admin.display(description="order", ordering="pk")
    def number(self, order: Order) -> int:
        return order.pk

    @admin.display(ordering="amount")
    def total(self, order: Order) -> str:
        return format_money(order.amount, order.currency)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.cancel_order")

    @admin.action(description="Cancel selected orders", permissions=["cancel"])
    def cancel(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        cancelled, refused = [], []
        for pk in orders.order_by("pk").values_list("pk", flat=True):
            try:
                services.cancel_order(pk, actor=request.user.get_username(), reason="Cancelled by the shop.")
                cancelled.append(str(pk))
            except TooLate as late:
                refused.append(f"{pk} ({late.detail})")
        if cancelled:
            text = f"Cancelled, with any stock given back: {get_text_list(cancelled, 'and')}."
            self.message_user(request, text, messages.SUCCESS)
        if refused:
            self.message_user(
                request, f"Too late to cancel: {get_text_list(refused, 'and')}.", messages.WARNING
            )
