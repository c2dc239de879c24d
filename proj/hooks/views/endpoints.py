from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from proj.hooks import endpoints, kinds
from proj.hooks.endpoints import OVERLAP, EndpointRefused
from proj.hooks.forms import EndpointForm, RotateForm
from proj.hooks.models import Endpoint, State
from proj.hooks.switching import switch_off_by_hand, switch_on
from proj.hooks.views.own import SignedInRequest, own_endpoint

ON_A_PAGE = 25


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def overview(request: SignedInRequest) -> HttpResponse:
    """List one's endpoints, and create another. Its secret is in the answer to the form, and nowhere else."""
    form = EndpointForm(request.POST if request.method == "POST" else None)
    made: tuple[Endpoint, str] | None = None
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            made = endpoints.create_endpoint(
                request.user, data["url"], data["events"], description=data["description"]
            )
        except EndpointRefused as refusal:
            form.refuse(refusal)
    context = {
        "form": EndpointForm() if made else form,
        "made": made[0] if made else None,
        "secret": made[1] if made else "",
        "endpoints": Endpoint.objects.of(request.user.pk),
    }
    return render(request, "hooks/list.html", context, status=422 if form.errors else 200)


@login_required
@require_GET
def endpoint(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Show one endpoint with what was sent to it, newest first."""
    found = own_endpoint(request, public_id)
    deliveries = found.deliveries.defer("body").select_related("endpoint")
    state = request.GET.get("state", "")
    if state in State.values:
        deliveries = deliveries.filter(state=state)
    context = {
        "endpoint": found,
        "kinds": [kind for kind in kinds.subscribable().values() if kind.name in found.kinds],
        "page": Paginator(deliveries, ON_A_PAGE).get_page(request.GET.get("page")),
        "state": state,
        "states": State.choices,
        "has_failed": found.deliveries.failed().exists(),
        "overlap_until": found.old_secret_until
        if found.old_secret_until and found.old_secret_until > timezone.now()
        else None,
    }
    return render(request, "hooks/endpoint.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def edit(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Change where an endpoint is, what it is told, and what it is called."""
    found = own_endpoint(request, public_id)
    initial = {"url": found.url, "description": found.description, "events": found.kinds}
    form = EndpointForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            endpoints.change_endpoint(
                found, url=data["url"], wanted=data["events"], description=data["description"]
            )
        except EndpointRefused as refusal:
            form.refuse(refusal)
        else:
            messages.success(request, "Changed.")
            return redirect(found)
    context = {"endpoint": found, "form": form}
    return render(request, "hooks/edit.html", context, status=422 if form.errors else 200)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def rotate(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Ask what becomes of the old secret, then make another and show it, once."""
    found = own_endpoint(request, public_id)
    form = RotateForm(request.POST if request.method == "POST" else None)
    secret, overlap = "", OVERLAP
    if request.method == "POST" and form.is_valid():
        overlap = OVERLAP if form.cleaned_data["old"] == "overlap" else timedelta(0)
        secret = endpoints.rotate_secret(found, overlap=overlap)
    context = {"endpoint": found, "form": form, "secret": secret, "overlap": bool(overlap)}
    return render(request, "hooks/rotate.html", context, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def turn_off(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Ask, then send one endpoint nothing more until it is switched on again."""
    found = own_endpoint(request, public_id)
    if request.method != "POST":
        pending = found.deliveries.pending().count()
        return render(request, "hooks/off.html", {"endpoint": found, "pending": pending})
    if switch_off_by_hand(found.pk, "You have switched it off."):
        messages.success(request, "It is off: nothing is sent to it.")
    return redirect(found)


@login_required
@require_POST
def turn_on(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Tell one endpoint again what happens."""
    found = own_endpoint(request, public_id)
    if switch_on(found.pk):
        messages.success(request, "It is on: it is told what happens from now on.")
    return redirect(found)


@login_required
@require_http_methods(["GET", "POST"])
def delete(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Ask, then delete one endpoint for good."""
    found = own_endpoint(request, public_id)
    if request.method != "POST":
        return render(request, "hooks/delete.html", {"endpoint": found})
    endpoints.delete_endpoint(found)
    messages.success(request, f"“{found}” is deleted. Nothing more is sent to it.")
    return redirect("hooks:list")
