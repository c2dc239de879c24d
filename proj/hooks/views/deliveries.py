from datetime import UTC, datetime, time
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from proj.hooks import replaying
from proj.hooks.forms import SinceForm
from proj.hooks.models import Delivery
from proj.hooks.replaying import SwitchedOff
from proj.hooks.views.own import SignedInRequest, own_endpoint

OFF = "Nothing was sent: the endpoint is off. Switch it on first."
#: Of a delivery that was replayed often, the latest.
ATTEMPTS_SHOWN = 50


@login_required
@require_GET
def delivery(request: SignedInRequest, public_id: UUID, event_id: str) -> HttpResponse:
    """Show one delivery: what is sent, and what came of each try."""
    found = _own_delivery(request, public_id, event_id)
    attempts = found.attempts.order_by("-pk")[:ATTEMPTS_SHOWN]
    return render(request, "hooks/delivery.html", {"delivery": found, "attempts": attempts})


@login_required
@require_POST
def replay(request: SignedInRequest, public_id: UUID, event_id: str) -> HttpResponse:
    """Send one delivery again. It does no harm twice: the receiver knows it by its id."""
    found = _own_delivery(request, public_id, event_id)
    try:
        replaying.replay_delivery(found)
    except SwitchedOff:
        messages.error(request, OFF)
    else:
        messages.success(request, "It is being sent again.")
    return redirect(found)


@login_required
@require_http_methods(["GET", "POST"])
def replay_all(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Ask from when on, then send all that failed again."""
    endpoint = own_endpoint(request, public_id)
    form = SinceForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        day = form.cleaned_data["since"]
        since = datetime.combine(day, time.min, tzinfo=UTC) if day else None
        try:
            count = replaying.replay_failed(endpoint, since=since)
        except SwitchedOff:
            messages.error(request, OFF)
        else:
            messages.success(request, f"Being sent again: {count}.")
        return redirect(endpoint)
    context = {"endpoint": endpoint, "form": form, "failed": endpoint.deliveries.failed().count()}
    return render(request, "hooks/replay.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def send_ping(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Send an endpoint an event that says nothing, and show what came of it."""
    endpoint = own_endpoint(request, public_id)
    try:
        return redirect(replaying.ping(endpoint))
    except SwitchedOff:
        messages.error(request, OFF)
        return redirect(endpoint)


def _own_delivery(request: SignedInRequest, public_id: UUID, event_id: str) -> Delivery:
    endpoint = own_endpoint(request, public_id)
    # A NUL is in no id of ours, and PostgreSQL would not take it.
    found: Delivery = get_object_or_404(endpoint.deliveries, event_id=event_id.replace("\x00", ""))
    found.endpoint = endpoint
    return found
