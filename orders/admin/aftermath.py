"""What an order leaves behind: the sale in the books, and the mails to the customer."""

from django.contrib import admin

from orders.admin.readonly import ReadOnly, link
from orders.models import Notification, Sale
from orders.money import format_money


@admin.register(Sale)
class SaleAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    list_display = ["shown_order", "day", "total", "items"]
    list_display_links = ["day"]
    list_filter = ["currency"]
    list_select_related = ["order"]
    date_hierarchy = "day"
    show_full_result_count = False

    @admin.display(description="order", ordering="order")
    def shown_order(self, sale: Sale) -> str:
        return link(sale.order)

    @admin.display(ordering="amount")
    def total(self, sale: Sale) -> str:
        return format_money(sale.amount, sale.currency)


@admin.register(Notification)
class NotificationAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    list_display = ["shown_order", "kind", "reference", "recipient", "claimed_at", "sent_at", "error"]
    list_display_links = ["kind"]
    list_filter = ["kind", "sent_at"]
    list_select_related = ["order"]
    search_fields = ["=order__id", "^order__public_id", "recipient"]
    show_full_result_count = False
    fields = ["shown_order", ("kind", "reference"), "recipient", ("claimed_at", "sent_at"), "error"]

    @admin.display(description="order", ordering="order")
    def shown_order(self, mail: Notification) -> str:
        return link(mail.order)
