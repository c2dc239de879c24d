"""Calling orders off: before it is done, the page that says what will happen to each, and to its money."""

from collections.abc import Sequence

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from orders.admin.operations import tell_after, why_not_cancel
from orders.balance import read_balance
from orders.models import Order


def confirm(
    model_admin: "admin.ModelAdmin[Order]", request: HttpRequest, chosen: Sequence[Order]
) -> HttpResponse:
    """Return the page that asks, and names the orders that cannot be called off with the reason."""
    looked = [(order, why_not_cancel(order), tell_after(read_balance(order))) for order in chosen]
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": "Cancel these orders?",
        "possible": [(order, fate) for order, refusal, fate in looked if not refusal],
        "impossible": [(order, refusal) for order, refusal, _ in looked if refusal],
        "action_checkbox_name": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "admin/orders/order/cancel.html", context)
