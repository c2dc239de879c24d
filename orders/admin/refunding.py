"""Giving money back: a form, a page that asks again with the figures, and one refund however often it is clicked."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils.text import capfirst

from orders import services
from orders.admin.operations import why_not_refund
from orders.balance import Balance, read_balance
from orders.errors import RefundRefused
from orders.models import Order
from orders.money import DECIMALS, format_money
from orders.payments.models import Refund
from proj.jobs import audit


class RefundForm(forms.Form):
    """`amount` is in people's units. `number` is the key of the page that asked again: which refund of the order this is.

    Before that page what is left is checked here, for whoever fills the form in. After it the service decides: what is
    left may be less by this very refund, if its button was clicked twice.
    """

    reason = forms.CharField(
        max_length=500,
        widget=AdminTextInputWidget,
        help_text="The customer reads it.",
    )
    number = forms.IntegerField(required=False, min_value=1, max_value=2**31, widget=forms.HiddenInput)

    def __init__(self, balance: Balance, data: Any = None) -> None:
        self.balance, self._places = balance, DECIMALS.get(balance.currency, 2)
        super().__init__(data, initial={"amount": self._in_units(balance.left)})
        self.fields["amount"] = forms.DecimalField(
            label=f"Amount in {balance.currency}",
            min_value=self._in_units(1),
            max_digits=18,
            decimal_places=self._places,
            help_text=f"At most {format_money(balance.left, balance.currency)}.",
        )
        self.order_fields(["amount", "reason", "number"])

    @property
    def minor(self) -> int:
        """The amount in the minor unit."""
        return int(self.cleaned_data["amount"].scaleb(self._places))

    def clean(self) -> None:
        if self.cleaned_data.get("number") is None and "amount" in self.cleaned_data:
            if refusal := why_not_refund(self.balance):
                raise forms.ValidationError(refusal)
            if self.minor > self.balance.left:
                most = format_money(self.balance.left, self.balance.currency)
                self.add_error("amount", f"No more than {most} can be given back.")

    def _in_units(self, minor: int) -> Decimal:
        return Decimal(minor).scaleb(-self._places)


def refund_view(model_admin: "admin.ModelAdmin[Order]", request: HttpRequest, object_id: str) -> HttpResponse:
    """Ask how much and why; ask whether that is meant; then ask for it, and lead back to the order."""
    if not (request.user.has_perm("orders.refund_order") and model_admin.has_view_permission(request)):
        raise PermissionDenied
    order = get_object_or_404(Order, pk=object_id if object_id.isdecimal() else None)
    form = RefundForm(read_balance(order), request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return _page(model_admin, request, order, form)
    if form.cleaned_data["number"] is None:
        return _page(model_admin, request, order, form, amount=form.minor)
    try:
        refund = _ask(request, order, form)
    except RefundRefused as refusal:
        model_admin.message_user(request, f"Nothing was asked for. {refusal.detail}", messages.ERROR)
        return redirect("admin:orders_order_refund", order.pk)
    text = f"{format_money(refund.amount, refund.currency)} goes back to the customer, who gets a mail when it does."
    model_admin.message_user(request, text, messages.SUCCESS)
    return redirect("admin:orders_order_change", order.pk)


def _ask(request: HttpRequest, order: Order, form: RefundForm) -> Refund:
    """Ask for what was confirmed; the audit log has it in the same transaction, and a second click is not in it."""
    reason, number = form.cleaned_data["reason"], form.cleaned_data["number"]
    with transaction.atomic():
        refund, is_new = services.refund_order(
            order.pk, form.minor, number=number, reason=reason, actor=request.user.get_username()
        )
        if is_new:
            after = {"refund": refund.pk, "amount": refund.amount, "currency": refund.currency}
            audit.record(audit.by(request), "order.refund", f"order:{order.pk}", reason=reason, after=after)
        return refund


def _page(
    model_admin: "admin.ModelAdmin[Order]",
    request: HttpRequest,
    order: Order,
    form: RefundForm,
    amount: int | None = None,
) -> HttpResponse:
    """Return the form with the figures; or, with an amount in the minor unit, the question whether that is meant."""
    balance = form.balance
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": "Give money back"
        if amount is None
        else f"Give {format_money(amount, order.currency)} back?",
        "order": order,
        "balance": balance,
        "form": form,
        "amount": amount,
        "left_after": balance.left - (amount or 0),
        "number": len(balance.refunds) + 1,
        "refusal": capfirst(why_not_refund(balance)),
    }
    return TemplateResponse(request, "admin/orders/order/refund.html", context)
