"""How often tasks may begin, over all workers: seen, set and taken away by operators, with a reason, and written down."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest

from proj.jobs import ledger
from proj.jobs.admin_audit import Audited
from proj.jobs.admin_list import task_names
from proj.jobs.models import TaskRate


class RateForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for mypy only
    task = forms.ChoiceField(choices=lambda: [(name, name) for name in task_names()])
    reason = forms.CharField(max_length=200, help_text="For whoever wonders why its jobs wait.")

    class Meta:
        model = TaskRate
        fields = ["task", "runs", "per", "reason"]


@admin.register(TaskRate)
class RateAdmin(Audited, admin.ModelAdmin):  # type: ignore[type-arg]
    """A limit holds from the next claim on. What it had booked is set free when it is changed or taken away."""

    audited_as = "rate"
    form = RateForm
    list_display = ["task", "runs", "per", "reason"]
    ordering = ["task"]

    def get_readonly_fields(self, request: HttpRequest, obj: TaskRate | None = None) -> list[str]:  # noqa: ARG002
        return ["task"] if obj is not None else []

    def store_model(self, request: HttpRequest, obj: TaskRate, form: Any, change: bool) -> None:  # noqa: FBT001  Django's
        if change:
            # From now on: what the old rate has let run ahead, or put off, does not count any more.
            obj.free_at = obj.booked_until = ledger.now()
        super().store_model(request, obj, form, change)
        ledger.unbook(obj.pk)

    def delete_model(self, request: HttpRequest, obj: TaskRate) -> None:
        with transaction.atomic():
            task = obj.pk
            super().delete_model(request, obj)
            freed = ledger.unbook(task)
        messages.info(request, f"{freed:,} of its jobs waited for their turn, and may begin.")

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        with transaction.atomic():
            tasks = list(queryset.values_list("pk", flat=True))
            super().delete_queryset(request, queryset)
            for task in tasks:
                ledger.unbook(task)
