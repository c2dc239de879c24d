"""What an order consists of, on the order's own page; what has happened to it is its story. Written by services."""

from typing import Any

from django.contrib import admin
from django.forms import BaseInlineFormSet
from django.http import HttpRequest

from orders.admin.readonly import ReadOnly
from orders.models import OrderLine, OrderStep
from orders.money import format_money
from orders.payments.models import Incident, PaymentAttempt


class RowsOfOrder(BaseInlineFormSet):  # type: ignore[type-arg]  # generic for mypy only
    """The rows that were read together with the order; Django's own would ask for them once more."""

    def get_queryset(self) -> Any:
        return getattr(self.instance, self.fk.related_query_name()).all()


class Inline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]  # generic for mypy only
    formset = RowsOfOrder

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002  Django's signature
        """All: the form of a row that nobody may change would otherwise be made, and its calendars loaded."""
        return self.fields


class OrderLineInline(Inline):
    model = OrderLine
    fields = ["sku", "name", "quantity", "price", "total"]
    readonly_fields = ["price", "total"]

    @admin.display(description="price of one")
    def price(self, line: OrderLine) -> str:
        return format_money(line.amount, line.order.currency)

    def total(self, line: OrderLine) -> str:
        return format_money(line.total, line.order.currency)


class PaymentInline(Inline):
    model = PaymentAttempt
    verbose_name_plural = "payments"
    fields = ["number", "state", "money", "provider_ref", "error_detail", "created_at", "updated_at"]
    readonly_fields = ["money", "updated_at"]
    show_change_link = True

    @admin.display(description="amount")
    def money(self, attempt: PaymentAttempt) -> str:
        return format_money(attempt.amount, attempt.currency)


class IncidentInline(Inline):
    model = Incident
    fields = ["kind", "summary", "repair", "opened_at", "closed_at", "outcome"]
    show_change_link = True


class OrderStepInline(Inline):
    model = OrderStep
    fields = ["name", "state", "attempt", "started_at", "finished_at", "error", "task_id"]
