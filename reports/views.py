"""Pages of reports: the list is for staff, a report for staff and for whoever asked for it."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from orders.models.selecting import OrderSelection
from proj.jobs import audit
from reports import files, services
from reports.errors import ReportRefused
from reports.forms import ReportForm
from reports.models import Report

ON_A_PAGE = 25


@login_required
@require_http_methods(["GET", "POST"])
def report_list(request: HttpRequest) -> HttpResponse:
    """List the reports, newest first, and take the order for another one."""
    if not request.user.is_staff:
        raise PermissionDenied("Reports are for staff.")
    may_add = request.user.has_perm("reports.add_report")
    form = ReportForm(request.POST or None)
    if request.method == "POST":
        if not may_add:
            raise PermissionDenied("You may read reports, not ask for one.")
        if form.is_valid():
            days = form.cleaned_data
            return redirect(services.request_report(request.user, days["first"], days["last"]))
    page = Paginator(Report.objects.visible_to(request.user).select_related("owner"), ON_A_PAGE).get_page(
        request.GET.get("page")
    )
    status = 422 if form.errors else 200
    context = {"page": page, "form": form, "may_add": may_add}
    return render(request, "reports/list.html", context, status=status)


@login_required
@require_POST
def export_orders(request: HttpRequest) -> HttpResponse:
    """Begin the export of the orders that a list in the admin shows, and lead to the page that follows it."""
    user = request.user
    if not (user.is_staff and user.has_perms(["reports.add_report", "orders.view_order"])):
        raise PermissionDenied("Exports of orders are for staff who may look at orders and ask for reports.")
    selection = OrderSelection.read(request.POST.dict())
    try:
        return redirect(services.request_orders(user, selection, by=audit.by(request)))
    except ReportRefused as refused:
        messages.error(request, f"Nothing was exported. {refused.detail}")
        return redirect(reverse("admin:orders_order_changelist", query=dict(selection.asked)))


@login_required
@require_GET
def report_detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show one report; while it is being made, the page follows it."""
    return render(request, "reports/detail.html", _context(request, _find(request, public_id)))


@login_required
@require_GET
def report_progress(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Return the part of the page that changes, for htmx to swap in."""
    return render(request, "reports/_progress.html", _context(request, _find(request, public_id)))


@login_required
@require_GET
def report_download(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    """Stream the file; a report without one leads to its page, which says why."""
    report = _find(request, public_id)
    if not report.file:
        return redirect(report)
    return files.download(report)


@login_required
@require_POST
def report_cancel(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Stop a report that is being made: one's own, or as staff who may change reports anybody's."""
    report = _find(request, public_id)
    if not report.may_be_cancelled_by(request.user):
        raise PermissionDenied("Somebody else has asked for this report.")
    by = None if report.owner_id == request.user.pk else audit.by(request)
    if services.cancel_report(report.pk, by=by):
        messages.success(request, "The report is cancelled.")
    else:
        messages.info(request, "The report had ended already.")
    return redirect(report)


def _find(request: HttpRequest, public_id: UUID) -> Report:
    return get_object_or_404(
        Report.objects.visible_to(request.user).select_related("owner"), public_id=public_id
    )


def _context(request: HttpRequest, report: Report) -> dict[str, object]:
    totals = report.days.exclude(currency="").values("currency").order_by("currency")
    sums = totals.annotate(order_count=Sum("orders"), item_count=Sum("items"), total=Sum("amount"))
    return {
        "report": report,
        "totals": sums if report.is_ready else [],
        "may_cancel": report.may_be_cancelled_by(request.user),
    }
