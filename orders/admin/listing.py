"""The list of orders: narrowed, added up, and handed on to be exported, always as one and the same selection."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from orders.admin.filters import SelectionFilter
from orders.admin.totals import add_up
from orders.models import Order
from orders.models.questions import QUESTIONS
from orders.models.selecting import OrderSelection
from proj.jobs.admin_list import CappedPaginator


class Listing(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    """The part of the orders' admin that lists."""

    change_list_template = "admin/orders/order/change_list.html"
    list_filter = [SelectionFilter]
    list_per_page = 50
    search_fields = ["public_id"]  # for the box; see get_search_results
    search_help_text = "An order's number or public id, or a part of a customer's name or e-mail address."
    sortable_by = ["number", "placed_at", "total"]
    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each would count the table

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:  # noqa: ARG002  Django's
        """Only what a selection understands narrows the list: anything else would not narrow the export."""
        return lookup in QUESTIONS

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002  Django's signature
        queryset: QuerySet[Order],
        search_term: str,
    ) -> tuple[QuerySet[Order], bool]:
        return OrderSelection.read({"q": search_term}).narrow(queryset), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        if isinstance(response, TemplateResponse) and response.context_data and "cl" in response.context_data:
            response.context_data |= {
                "totals": add_up(response.context_data["cl"].queryset),
                "selection": OrderSelection.read(request.GET),
                "may_export": request.user.has_perm("reports.add_report"),
            }
        return response
