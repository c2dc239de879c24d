from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from orders.admin.readonly import ReadOnly, link
from orders.money import format_money
from orders.payments.models import JournalEntry, Posting


class PostingInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]  # generic in the stubs only
    model = Posting
    fields = ["account", "debit", "credit"]
    readonly_fields = ["debit", "credit"]

    def debit(self, posting: Posting) -> str:
        return format_money(posting.amount, posting.currency) if posting.amount > 0 else ""

    def credit(self, posting: Posting) -> str:
        return format_money(-posting.amount, posting.currency) if posting.amount < 0 else ""


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Read only: the books are append-only, and the database holds them to it."""

    list_display = ["provider_ref", "kind", "shown_order", "money", "created_at"]
    list_filter = ["kind", "created_at"]
    list_select_related = ["order"]
    search_fields = ["=order__id", "^order__public_id", "=provider_ref"]
    search_help_text = "An order's number or public id, or the provider's id (pi_... or re_...)."
    date_hierarchy = "created_at"
    show_full_result_count = False
    fields = [("kind", "provider_ref"), "shown_order", "created_at"]
    inlines = [PostingInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[JournalEntry]:
        return super().get_queryset(request).prefetch_related("postings")

    @admin.display(description="order", ordering="order")
    def shown_order(self, entry: JournalEntry) -> str:
        return link(entry.order)

    @admin.display(description="amount")
    def money(self, entry: JournalEntry) -> str:
        """What moved: the debit side, which is as large as the credit side."""
        return ", ".join(
            format_money(posting.amount, posting.currency)
            for posting in entry.postings.all()
            if posting.amount > 0
        )
