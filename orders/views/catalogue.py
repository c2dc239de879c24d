from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from orders.carts import add_to_cart, quantities_in_cart
from orders.forms import AddToCartForm, SearchForm
from orders.models import Product
from orders.views.requests import Request, go, go_sign_in, safe_path

PAGE_SIZE = 24  # fills rows of two, three and four cards


def search(words: str) -> QuerySet[Product]:
    """Return what is on sale and has every word in its name or at the beginning of its number."""
    products = Product.objects.on_sale().with_stock().order_by("name", "sku")
    for word in words.split():
        products = products.filter(Q(name__icontains=word) | Q(sku__istartswith=word))
    return products


@require_safe
def catalogue(request: Request) -> HttpResponse:
    """What is on sale, for everybody to see."""
    form = SearchForm(request.GET)
    words = form.cleaned_data["q"] if form.is_valid() else ""
    page = Paginator(search(words), PAGE_SIZE).get_page(request.GET.get("page"))
    held = quantities_in_cart(request.user, page.object_list) if request.user.is_authenticated else {}
    cards = [(product, held.get(product.pk, 0)) for product in page]
    context = {"form": form, "words": words, "page": page, "cards": cards, "back": request.get_full_path()}
    return render(request, "orders/catalogue.html", context)


@require_POST
def add(request: Request) -> HttpResponse:
    """Put a product into the cart. Who is not signed in does that first and comes back to the same page."""
    back = safe_path(request.POST.get("back", ""), "orders:catalogue")
    if not request.user.is_authenticated:
        messages.info(request, "Sign in first, please: a cart is somebody's. Nothing was added yet.")
        return go_sign_in(request, back)
    form = AddToCartForm(request.POST)
    if not form.is_valid():
        messages.error(request, f"Nothing was added. {' '.join(form.problems())}")
        return go(request, back)
    product = Product.objects.on_sale().with_stock().filter(sku=form.cleaned_data["sku"]).first()
    if product is None:
        messages.error(request, "Nothing was added: this is no longer sold.")
        return go(request, back)
    held = add_to_cart(request.user, product, form.cleaned_data["quantity"])
    if request.htmx:
        context = {"product": product, "held": held, "back": back, "swapped": True}
        return render(request, "orders/_add.html", context)
    messages.success(request, f"{product.name} is in your cart.")
    return go(request, back)
