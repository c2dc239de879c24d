from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from orders.carts import Basket, change_quantity, check_out, read_cart
from orders.errors import OrderRefused
from orders.forms import ChangeQuantityForm, CheckoutForm
from orders.views.requests import SignedInRequest


@require_safe
@login_required
def cart(request: SignedInRequest) -> HttpResponse:
    """What is in the cart, at today's prices, and the form that orders it."""
    basket = read_cart(request.user)
    return _show(request, basket, CheckoutForm(initial=_agreement(basket)))


@require_POST
@login_required
def change(request: SignedInRequest) -> HttpResponse:
    """Set how many of a product the cart holds, or take it out."""
    form = ChangeQuantityForm(request.POST)
    if form.is_valid():
        change_quantity(request.user, form.cleaned_data["sku"], form.cleaned_data["quantity"])
        if read_cart(request.user).has_problems:
            messages.warning(request, "Your cart is changed, but cannot be ordered like this: see below.")
        else:
            messages.success(request, "Your cart is up to date.")
    else:
        messages.error(request, f"Nothing was changed. {' '.join(form.problems())}")
    return redirect("orders:cart")


@require_POST
@login_required
def checkout(request: SignedInRequest) -> HttpResponse:
    """Order what is in the cart: once, however often the form is sent."""
    form = CheckoutForm(request.POST)
    if not form.is_valid():
        return _show(request, read_cart(request.user), form, status=422)
    try:
        placed = check_out(
            request.user,
            key=form.cleaned_data["checkout_key"],
            agreed_amount=form.cleaned_data["agreed_amount"],
            express=form.cleaned_data["express"],
            payment_method=form.cleaned_data["payment_method"],
        )
    except OrderRefused as refusal:
        messages.error(request, refusal.detail)
        return redirect("orders:cart")
    if placed.created:
        messages.success(request, "Thank you. Your order is placed.")
    else:
        messages.info(request, "This order was placed already: you see it here. Nothing was ordered twice.")
    return redirect(placed.order)


def _agreement(basket: Basket) -> dict[str, object]:
    """What the hidden fields of the checkout say."""
    return {
        "checkout_key": basket.checkout_key,
        "agreed_amount": basket.amount,
        "payment_method": "pm_card_visa",
    }


def _show(request: SignedInRequest, basket: Basket, form: CheckoutForm, status: int = 200) -> HttpResponse:
    return render(request, "orders/cart.html", {"basket": basket, "form": form}, status=status)
