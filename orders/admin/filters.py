"""What support people ask of a list of orders: a form, which needs no script, and asks the database nothing."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from orders.models import Order
from orders.models.questions import EXPRESS, PAYMENTS, PROGRESS, QUESTIONS, STATUSES
from orders.models.selecting import OrderSelection


class Field(NamedTuple):
    """How a question is put; without choices it is typed."""

    label: str
    hint: str = ""
    type: str = "text"
    choices: Mapping[str, str] = {}


FIELDS: Mapping[str, Field] = {
    "status": Field("Status", choices=STATUSES),
    "progress": Field("Progress", choices=PROGRESS),
    "payment": Field("Payment", choices=PAYMENTS),
    "express": Field("Express", choices=EXPRESS),
    "since": Field("Placed from", "2026-11-20", "date"),
    "until": Field("Placed until, that day included", "2026-11-21", "date"),
    "currency": Field("Currency", "GBP"),
    "least": Field("Amount from", "19.99"),
    "most": Field("Amount to", "100"),
    "customer": Field("Customer", "part of a name or an e-mail address"),
    "sku": Field("SKU", "the whole of it"),
}


class SelectionFilter(admin.ListFilter):
    """All questions in one form, so that several are answered at once."""

    title = "what is asked"
    template = "admin/orders/order/filter.html"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        for name in FIELDS:
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1]

    def expected_parameters(self) -> list[str | None]:
        return list(FIELDS)

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:  # noqa: ARG002  Django's
        return OrderSelection.read(self.used_parameters).narrow(queryset)

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        """Return the fields of the form, and what else it has to hand on; not the page, which would be another one's."""
        others = changelist.get_filters_params(self.request.GET)
        yield {
            "hidden": [(name, others[name]) for name in others if name not in FIELDS and name in QUESTIONS]
        }
        selection = OrderSelection.read(self.used_parameters)
        for name, field in FIELDS.items():
            text = selection.asked.get(name, "")
            yield {"name": name, "field": field, "text": text, "is_lost": name in selection.lost}
