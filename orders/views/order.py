from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Count, OuterRef, Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from orders.balance import ROWS, read_balance
from orders.carts import order_again
from orders.errors import TooLate
from orders.forms import SANDBOX_CARDS
from orders.models import Order, OrderLine
from orders.services import cancel_order
from orders.timeline import read_timeline, tell_money
from orders.views.requests import SignedInRequest
from orders.waiting import why_it_waits

PAGE_SIZE = 20


def order_of(customer: User, public_id: UUID) -> Order:
    """Return the customer's own order; somebody else's does not exist for them."""
    return get_object_or_404(Order.objects.of(customer.pk), public_id=public_id)


@require_safe
@login_required
def order_list(request: SignedInRequest) -> HttpResponse:
    """The customer's orders, newest first."""
    lines = OrderLine.objects.filter(order=OuterRef("pk"))
    orders = Order.objects.of(request.user.pk).annotate(
        # Subqueries run for the page's orders only; a join would add up all the customer ever ordered.
        first_name=lines.values("name")[:1],
        kinds=lines.order_by().values("order").annotate(n=Count("pk")).values("n"),
        pieces=lines.order_by().values("order").annotate(n=Sum("quantity")).values("n"),
    )
    page = Paginator(orders.prefetch_related(ROWS), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "orders/list.html", {"page": page})


@require_safe
@never_cache
@login_required
def order_detail(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """One order and how far it is. Asked by htmx, only the latter.

    `seen` names what the page shows already: if nothing has happened since, the answer is 204, so that nothing is
    swapped and nothing read out again.
    """
    order = order_of(request.user, public_id)
    balance = read_balance(order)
    timeline = read_timeline(order, order.steps.all(), balance, why_it_waits(order))
    context = {"order": order, "timeline": timeline, "balance": balance}
    if not request.htmx:
        context |= {
            "lines": order.lines.all(),
            "card": SANDBOX_CARDS.get(order.payment_method),
        }
        return render(request, "orders/detail.html", context)
    if request.GET.get("seen") == timeline.seen:
        return HttpResponse(status=204)
    return render(request, "orders/_progress.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def cancel(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Ask whether to cancel, then try, and say honestly what came of it."""
    order = order_of(request.user, public_id)
    if request.method != "POST":
        return render(request, "orders/cancel.html", {"order": order, "balance": read_balance(order)})
    try:
        order = cancel_order(order.pk, actor=request.user.get_username())
    except TooLate as refusal:
        messages.error(request, f"It was too late to cancel. {refusal.detail}")
    else:
        told = tell_money(order, read_balance(order))
        messages.success(request, f"Your order is cancelled. {told}")
    return redirect(order)


@require_POST
@login_required
def again(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Put what was ordered into the cart once more, such as after a card was declined."""
    order = order_of(request.user, public_id)
    count = order_again(request.user, order)
    if not count:
        messages.error(request, "None of it is sold any more, or there is none left.")
        return redirect(order)
    if count < order.lines.count():
        messages.warning(request, "What there still is of your order is in your cart. The rest is gone.")
    else:
        messages.success(request, "What you ordered is in your cart again.")
    return redirect("orders:cart")
