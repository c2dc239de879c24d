from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from orders import services
from orders.admin.cancelling import confirm
from orders.admin.inlines import (
    IncidentInline,
    OrderLineInline,
    OrderStepInline,
    PaymentInline,
)
from orders.admin.listing import Listing
from orders.admin.operations import Operation, tell_after, why_not_cancel, why_not_refund
from orders.admin.readonly import ReadOnly
from orders.admin.refunding import refund_view
from orders.admin.story import Story, tell
from orders.balance import ROWS, read_balance
from orders.errors import NotStuck, TooLate
from orders.models import Order
from orders.money import format_money
from proj.jobs import audit

#: Orders in one request: each is a transaction of some 20 statements, so this is about two seconds.
MOST = 100
#: What the page of one order has as tables, and its story tells as well: read once, for both.
SHOWN = ("lines", "incidents", "steps")


@admin.register(Order)
class OrderAdmin(ReadOnly, Listing):
    list_display = [
        "number",
        "public_id",
        "customer",
        "status",
        "total",
        "money_back",
        "express",
        "placed_at",
    ]
    fields = [
        ("public_id", "customer"),
        ("status", "reason"),
        ("total", "captured", "money_back", "payment_method", "express"),
        ("placed_at", "updated_at"),
    ]
    inlines = [
        OrderLineInline,
        PaymentInline,
        IncidentInline,
        OrderStepInline,
    ]
    actions = ["cancel", "resume"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        return super().get_queryset(request).select_related("customer").prefetch_related(ROWS)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Order | None:
        order = super().get_object(request, object_id, from_field)
        if order is not None:
            prefetch_related_objects([order], *SHOWN)
        return order

    # --- what is shown ------------------------------------------------------------------------------------------------

    @admin.display(description="order", ordering="pk")
    def number(self, order: Order) -> int:
        return order.pk

    @admin.display(ordering="amount")
    def total(self, order: Order) -> str:
        return format_money(order.amount, order.currency)

    @admin.display(description="captured")
    def captured(self, order: Order) -> str:
        balance = read_balance(order)
        unknown = "; a payment has no outcome yet" if balance.is_open else ""
        return format_money(balance.captured, order.currency) + unknown

    @admin.display(description="given back")
    def money_back(self, order: Order) -> str:
        balance = read_balance(order)
        told = [format_money(balance.returned, order.currency)] if balance.returned else []
        if balance.returning:
            told.append(f"{format_money(balance.returning, order.currency)} under way")
        return ", ".join(told) or "-"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        order: Order = context["original"]
        story = tell(order, request.user)
        context |= {"operations": self._operations(request, order, story), "story": story}
        context |= {"refunds": read_balance(order).refunds}
        return super().render_change_form(request, context, *args, **options)

    def _operations(self, request: HttpRequest, order: Order, story: Story) -> list[Operation]:
        """What this person may do with an order, each with why it is not possible now."""
        allowed = []
        if self.has_cancel_permission(request):
            allowed.append(Operation("cancel", "Cancel the order", why_not_cancel(order)))
        if self.has_refund_permission(request):
            allowed.append(Operation("refund", "Give money back", why_not_refund(read_balance(order))))
        if self.has_resume_permission(request):
            allowed.append(
                Operation(
                    "resume", "Set it going again", services.why_not_resume(order, is_owed=story.is_owed)
                )
            )
        return allowed

    # --- who may do what ----------------------------------------------------------------------------------------------

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.cancel_order")

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.refund_order")

    def has_resume_permission(self, request: HttpRequest) -> bool:
        """Whether the person may set orders going again: it is jobs that this makes."""
        return request.user.has_perm("jobs.operate_job")

    # --- what is done -------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        refund = self.admin_site.admin_view(self.refund)
        return [path("<path:object_id>/refund/", refund, name="orders_order_refund"), *super().get_urls()]

    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return refund_view(self, request, object_id)

    @admin.action(description="Cancel selected orders", permissions=["cancel"])
    def cancel(self, request: HttpRequest, orders: QuerySet[Order]) -> HttpResponse | None:
        """Show what will happen to each order and its money; once that is confirmed, do it, and say what has."""
        chosen = self._choose(request, orders)
        if "confirmed" not in request.POST and chosen:
            return confirm(self, request, chosen)

        def cancel(order: Order) -> str:
            by = request.user.get_username()
            with transaction.atomic():
                ended = services.cancel_order(order.pk, actor=by, reason="Cancelled by the shop.")
                self._write_down(request, "order.cancel", order, ended)
                return tell_after(read_balance(ended))

        self._do(request, chosen, cancel, "Cancelled, with any stock given back", "Too late to cancel")
        return None

    @admin.action(description="Set selected orders going again", permissions=["resume"])
    def resume(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        """Enqueue what is left of orders whose job has died."""

        def resume(order: Order) -> str:
            with transaction.atomic():
                resumed = services.resume_order(order.pk, actor=request.user.get_username())
                self._write_down(request, "order.resume", order, resumed)
                return ""

        self._do(request, self._choose(request, orders), resume, "Set going again", "Not set going again")

    @staticmethod
    def _write_down(request: HttpRequest, action: str, before: Order, after: Order) -> None:
        """Put into the audit log what a person has done to an order, in the transaction in which it is done."""
        was, now = ({"status": order.status} for order in (before, after))
        audit.record(
            audit.by(request),
            action,
            f"order:{after.pk}",
            reason=audit.why(request, "why"),
            before=was,
            after=now,
        )

    def _choose(self, request: HttpRequest, orders: QuerySet[Order]) -> list[Order]:
        """The orders to work on; none, with a message, if there are more than one request should take."""
        chosen = list(orders.order_by("pk")[: MOST + 1])
        if len(chosen) > MOST:
            self.message_user(request, f"Choose at most {MOST} orders at a time.", messages.ERROR)
            return []
        return chosen

    def _do(
        self, request: HttpRequest, chosen: list[Order], act: Callable[[Order], str], done: str, refused: str
    ) -> None:
        """Do something to each order, in a transaction of its own; say to which it was done, and why not to others."""
        outcomes: dict[bool, list[str]] = {True: [], False: []}
        for order in chosen:
            try:
                told = act(order)
            except (TooLate, NotStuck) as refusal:
                outcomes[False].append(f"{order.pk} ({refusal.detail.rstrip('.')})")
            else:
                outcomes[True].append(f"{order.pk} ({told})" if told else str(order.pk))
        if outcomes[True]:
            self.message_user(request, f"{done}: {', '.join(outcomes[True])}.", messages.SUCCESS)
        if outcomes[False]:
            self.message_user(request, f"{refused}: {', '.join(outcomes[False])}.", messages.WARNING)
