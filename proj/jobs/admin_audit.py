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

    def audit_target(self, obj: Model) -> str:
        return f"{self.audited_as}:{obj.pk}"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001  Django's
        with transaction.atomic():
            super().save_model(request, obj, form, change)  # type: ignore[misc]  # a mixin
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
                    before=before,
                    after=after,
                )

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
        request: HttpRequest,  # noqa: ARG002  Django's signature
        object_id: str,
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        """Lead to the audit log: it knows more than Django's history of an object."""
        return history_of(f"{self.audited_as}:{object_id}")


def history_of(target: str) -> HttpResponse:
    """Lead to what people have done to something; whoever may not read the audit log is told so there."""
    return HttpResponseRedirect(reverse("admin:jobs_auditentry_changelist", query={"target": target}))
