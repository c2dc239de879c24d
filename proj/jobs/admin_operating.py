"""The buttons of the Jobs admin: asked with how many and which, done at once or as an operation of its own, written down."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import AdminSite
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.options import Options
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from kombu.exceptions import OperationalError

from proj.jobs import audit, carrying_out, operations
from proj.jobs.admin_actions import (
    ACTIONS,
    AT_ONCE,
    Action,
    OperationForm,
    jobs_of,
    order_of,
    preview,
    selected,
)
from proj.jobs.carrying_out import Order
from proj.jobs.models import Job, State
from proj.jobs.selecting import Selection


class Operating:
    """The part of the Jobs admin that does something; a mixin."""

    admin_site: AdminSite
    opts: "Options[Job]"
    message_user: Any

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whether the person may retry, cancel and bury jobs."""
        return request.user.has_perm("jobs.operate_job")

    @admin.action(description="Retry selected jobs", permissions=["operate"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:  # noqa: ARG002  Django's
        return self._operate(request, ACTIONS["retry"])

    @admin.action(description="Cancel selected jobs", permissions=["operate"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:  # noqa: ARG002  Django's
        return self._operate(request, ACTIONS["cancel"])

    @admin.action(description="Bury selected jobs", permissions=["operate"])
    def bury(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:  # noqa: ARG002  Django's
        return self._operate(request, ACTIONS["bury"])

    def _operate(self, request: HttpRequest, action: Action) -> HttpResponse | None:
        """Ask first, with how many and which. Once that is answered, do it: at once, or as an operation of its own."""
        if not self.has_operate_permission(request):
            raise PermissionDenied
        try:
            selection = selected(request)
        except ValueError as error:
            self.message_user(request, str(error), messages.ERROR)
            return None
        if not selection and action.name == "retry":
            selection = Selection(state=State.DEAD.value)
        if not selection:
            text = f"To {action.name} everything there is takes more than a click: narrow the list first."
            self.message_user(request, text, messages.ERROR)
            return None
        seen = preview(action, selection)
        if not seen["count"]:
            self.message_user(request, f"None of these is {action.kind}.", messages.WARNING)
            return None
        form = OperationForm(action, seen["count"], request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return self._ask(request, action, selection, seen, form)
        return self._carry_out(request, order_of(action, selection, seen["count"], form.cleaned_data))

    def _ask(
        self,
        request: HttpRequest,
        action: Action,
        selection: Selection,
        seen: dict[str, Any],
        form: OperationForm,
    ) -> HttpResponse:
        count = seen["count"]
        context = {
            **self.admin_site.each_context(request),
            **seen,
            "title": f"{action.name.capitalize()} {count:,} job{'' if count == 1 else 's'}?",
            "action": action,
            "form": form,
            "opts": self.opts,
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
            "command": order_of(action, selection, count, {}).command,
        }
        return TemplateResponse(request, "admin/jobs/job/confirm.html", context)

    def _carry_out(self, request: HttpRequest, order: Order) -> HttpResponse | None:
        by = audit.by(request)
        if order.expected > AT_ONCE or order.per_second < order.expected or order.most_dead:
            operation = carrying_out.begin(order, by=by)
            return redirect("admin:jobs_operation_change", operation.pk)
        chosen = list(jobs_of(ACTIONS[order.verb], order.selection).values_list("pk", flat=True)[:AT_ONCE])
        counts, doomed = carrying_out.act(order, chosen, by=by)
        told = {what: f"{count:,} {what}" for what, count in counts.items() if count}
        if doomed:
            try:
                operations.terminate(doomed)
            except OperationalError:
                told["away"] = f"{len(doomed):,} not told to the workers: the broker is away"
        self.message_user(request, ", ".join(told.values()) + ".")
        return None
