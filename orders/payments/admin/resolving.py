"""Repairing incidents, and closing them with a reason: before it is done, the page that says what will happen."""

from typing import Any, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.widgets import AdminTextInputWidget
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from orders.payments import reconciling
from orders.payments.gateway import Misconfigured, Unavailable, Unknown
from orders.payments.models import Incident
from orders.payments.reconciling import Difference, NotRepaired
from proj.jobs import audit
from proj.jobs.errors import Postponed

#: Incidents in one request: each may ask the provider three times, some 100 ms each with Stripe.
MOST = 20
UNREACHABLE = (Unknown, Unavailable, Misconfigured, Postponed)


class Preview(NamedTuple):
    """An incident as it would be repaired now."""

    incident: Incident
    difference: Difference | None  # as it is at this moment; None if it is gone
    trouble: str = ""  # why it could not be looked into


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=500,
        widget=AdminTextInputWidget,
        help_text="How it was seen to, or why it may stay as it is.",
    )


def repair(
    model_admin: "admin.ModelAdmin[Incident]", request: HttpRequest, incidents: QuerySet[Incident]
) -> HttpResponse | None:
    """Ask first, with each incident as it is now; once that is answered, repair one after the other."""
    chosen = _choose(model_admin, request, incidents)
    if chosen is None:
        return None
    if "confirmed" not in request.POST:
        context = {
            "title": "Repair these incidents?",
            "previews": [_preview(incident) for incident in chosen],
        }
        return _page(model_admin, request, "repair", context)
    for incident in chosen:
        try:
            outcome = reconciling.repair(incident, by=audit.by(request))
        except NotRepaired as refusal:
            model_admin.message_user(request, f"{incident}: not repaired. {refusal}", messages.ERROR)
        except UNREACHABLE as error:
            text = f"{incident}: the provider cannot be asked now. {_text(error)}"
            model_admin.message_user(request, text, messages.ERROR)
        else:
            model_admin.message_user(request, f"{incident}: {outcome}", messages.SUCCESS)
    return None


def close(
    model_admin: "admin.ModelAdmin[Incident]", request: HttpRequest, incidents: QuerySet[Incident]
) -> HttpResponse | None:
    """Ask for the reason; once it is given, close them. The same differences will open no others."""
    chosen = _choose(model_admin, request, incidents)
    if chosen is None:
        return None
    form = ReasonForm(request.POST if "confirmed" in request.POST else None)
    if not form.is_valid():
        return _page(
            model_admin,
            request,
            "close",
            {"title": "Close these incidents?", "incidents": chosen, "form": form},
        )
    reason = form.cleaned_data["reason"]
    closed = sum(reconciling.accept(incident, by=audit.by(request), reason=reason) for incident in chosen)
    model_admin.message_user(request, f"{closed} closed.", messages.SUCCESS)
    return None


def _choose(
    model_admin: "admin.ModelAdmin[Incident]", request: HttpRequest, incidents: QuerySet[Incident]
) -> list[Incident] | None:
    """Those that are open; None, with a message, if there are none or too many."""
    chosen = list(incidents.filter(closed_at=None).order_by("pk")[: MOST + 1])
    if not chosen:
        model_admin.message_user(request, "None of these is open.", messages.WARNING)
        return None
    if len(chosen) > MOST:
        text = f"More than {MOST} at once are for the command line: manage.py reconcile --repair."
        model_admin.message_user(request, text, messages.ERROR)
        return None
    return chosen


def _preview(incident: Incident) -> Preview:
    try:
        return Preview(incident, reconciling.look_again(incident))
    except UNREACHABLE as error:
        return Preview(incident, None, _text(error))


def _text(error: Exception) -> str:
    return str(getattr(error, "detail", error))


def _page(
    model_admin: "admin.ModelAdmin[Incident]", request: HttpRequest, name: str, context: dict[str, Any]
) -> HttpResponse:
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "action_checkbox_name": ACTION_CHECKBOX_NAME,
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        **context,
    }
    return TemplateResponse(request, f"admin/payments/incident/{name}.html", context)
