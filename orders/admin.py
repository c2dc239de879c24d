# ruff: noqa: ARG002  the signatures are Django's
"""The back office: orders are looked at and cancelled, products and their stock are edited."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.text import get_text_list

from orders import services
from orders.errors import StockTooLow, TooLate
from orders.models import Notification, Order, OrderEvent, OrderLine, OrderStep, Product, Sale
from orders.money import format_money


class ReadOnly:
    """For what only services write: everything can be seen, nothing changed."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class OrderLineInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]  # generic for mypy only
    model = OrderLine
    fields = ["sku", "name", "quantity", "price", "total"]
    readonly_fields = ["price", "total"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderLine]:
        return super().get_queryset(request).select_related("order")

    @admin.display(description="price of one")
    def price(self, line: OrderLine) -> str:
        return format_money(line.amount, line.order.currency)

    def total(self, line: OrderLine) -> str:
        return format_money(line.total, line.order.currency)


class OrderStepInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]  # generic for mypy only
    model = OrderStep
    fields = ["name", "state", "attempt", "started_at", "finished_at", "error", "task_id"]


class OrderEventInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]  # generic for mypy only
    model = OrderEvent
    fields = ["created_at", "kind", "from_status", "to_status", "actor", "detail"]


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
    inlines = [OrderLineInline, OrderStepInline, OrderEventInline]
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


class ProductForm(forms.ModelForm):  # type: ignore[type-arg]
    on_hand = forms.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        initial=0,
        help_text="As counted, including what is reserved for orders that have not left yet.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if hasattr(self.instance, "stock"):
            self.initial["on_hand"] = self.instance.stock.on_hand

    def clean_on_hand(self) -> int:
        on_hand: int = self.cleaned_data["on_hand"]
        if hasattr(self.instance, "stock") and on_hand < self.instance.stock.reserved:
            raise forms.ValidationError(str(StockTooLow(self.instance.sku, self.instance.stock.reserved)))
        return on_hand


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    form = ProductForm
    list_display = ["sku", "name", "price", "on_hand", "reserved", "available", "active"]
    list_filter = ["active", "currency"]
    list_select_related = ["stock"]
    search_fields = ["sku", "name"]
    fields = ["sku", "name", "amount", "currency", "active", "on_hand", "reserved"]
    readonly_fields = ["reserved"]

    @admin.display(ordering="amount")
    def price(self, product: Product) -> str:
        return format_money(product.amount, product.currency)

    @admin.display(ordering="stock__on_hand")
    def on_hand(self, product: Product) -> int:
        return product.stock.on_hand if hasattr(product, "stock") else 0

    @admin.display(ordering="stock__reserved")
    def reserved(self, product: Product) -> int:
        return product.stock.reserved if hasattr(product, "stock") else 0

    def has_delete_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:
        return False  # orders point at it, and one may be on its way: a product is taken off sale instead

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:  # noqa: FBT001
        super().save_model(request, obj, form, change)
        if "on_hand" not in form.changed_data and change:
            return  # what has been sold since the form was opened stays sold
        try:
            services.set_on_hand(obj, form.cleaned_data["on_hand"])
        except StockTooLow as refusal:  # reserved since the form was checked
            self.message_user(request, f"The stock was not changed. {refusal}", messages.ERROR)


@admin.register(Sale)
class SaleAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    list_display = ["order", "day", "total", "items"]
    list_filter = ["currency"]
    list_select_related = ["order"]
    date_hierarchy = "day"
    show_full_result_count = False

    @admin.display(ordering="amount")
    def total(self, sale: Sale) -> str:
        return format_money(sale.amount, sale.currency)


@admin.register(Notification)
class NotificationAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    list_display = ["order", "kind", "recipient", "claimed_at", "sent_at", "error"]
    list_filter = ["kind", "sent_at"]
    list_select_related = ["order"]
    search_fields = ["recipient"]
    show_full_result_count = False
