"""For admins whose edits matter to what runs: each is in the audit log, with the values before and after it."""

from typing import Any

from django.db import transaction
from django.db.models import Model, QuerySet
from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from proj.jobs import audit
from proj.jobs.audit import Change


class Audited:
    """A mixin for a ModelAdmin: what is added, changed or deleted is written down in the same transaction."""

    #: What the audit log calls one of these, such as ``schedule``.
    audited_as: str
    #: Ends with a field for why it is changed.
    change_form_template: Any = "admin/jobs/audited_change_form.html"

    def audit_target(self, obj: Model) -> str:
        return f"{self.audited_as}:{obj.pk}"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001  Django's
        with transaction.atomic():
            self.store_model(request, obj, form, change)
            was, now = form.initial, form.cleaned_data
            # A field that was not sent counts as changed, though its form has kept what was there.
            after = {name: now.get(name) for name in form.changed_data if now.get(name) != was.get(name)}
            before = {name: was.get(name) for name in after} if change else None
            verb = "change" if change else "add"
            if after or not change:
                audit.record(
                    audit.by(request),
                    f"{self.audited_as}.{verb}",
                    self.audit_target(obj),
                    reason=now.get("reason") or audit.why(request, "why"),
                    before=before,
                    after=after,
                )

    def store_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001
        """Save what the form says; the place to do it in another way, in the transaction of its audit row."""
        super().save_model(request, obj, form, change)  # type: ignore[misc]  # a mixin

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with transaction.atomic():
            self._record_deletion(request, [obj])
            super().delete_model(request, obj)  # type: ignore[misc]

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> None:
        with transaction.atomic():
            self._record_deletion(request, list(queryset))
            super().delete_queryset(request, queryset)  # type: ignore[misc]

    def _record_deletion(self, request: HttpRequest, objects: list[Any]) -> None:
        gone = [Change(self.audit_target(obj), before=model_to_dict(obj)) for obj in objects]
        audit.record_each(audit.by(request), f"{self.audited_as}.delete", gone)

    def history_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Lead to the audit log, for those who may read it: it knows more than Django's history of an object."""
        if not request.user.has_perm("jobs.view_auditentry"):
            return super().history_view(request, object_id, extra_context)  # type: ignore[misc, no-any-return]
        return history_of(f"{self.audited_as}:{object_id}")


def history_of(target: str) -> HttpResponse:
    """Lead to what people have done to something; whoever may not read the audit log is told so there."""
    return HttpResponseRedirect(reverse("admin:jobs_auditentry_changelist", query={"target": target}))
