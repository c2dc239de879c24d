"""What is done to schedules in the admin: a run by hand, switched off and on. Each is asked first, with the reason."""

from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django.contrib import admin, messages
from django.contrib.admin import AdminSite
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.options import Options
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django_celery_beat.models import PeriodicTask

from proj.jobs import audit
from proj.jobs.audit import Change
from proj.jobs.schedules import run_now, start_anew


class Question(NamedTuple):
    """What is asked before something is done to schedules."""

    action: str
    title: str
    button: str
    consequence: str
    done: str = ""


RUN = Question(
    "run",
    "Run these schedules now?",
    "Yes, run now",
    "Each of these runs once, now, beside its times. What it does may not be undone.",
)
ENABLE = Question(
    "enable",
    "Enable these schedules?",
    "Yes, enable",
    "They run at their times from now on. What was missed is not made up for.",
    "Enabled",
)
DISABLE = Question(
    "disable",
    "Disable these schedules?",
    "Yes, disable",
    "None of these runs until it is enabled again. What runs already ends.",
    "Disabled",
)


class Switching:
    """The part of the schedules' admin that does something; a mixin."""

    admin_site: AdminSite
    opts: "Options[PeriodicTask]"
    message_user: Any
    has_change_permission: Any
    audit_target: Any

    @admin.action(description="Enable selected schedules", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> HttpResponse | None:
        return self._switch(request, queryset.filter(enabled=False), ENABLE)

    @admin.action(description="Disable selected schedules", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> HttpResponse | None:
        return self._switch(request, queryset.filter(enabled=True), DISABLE)

    def _switch(
        self, request: HttpRequest, queryset: QuerySet[PeriodicTask], question: Question
    ) -> HttpResponse | None:
        if not self.has_change_permission(request):
            raise PermissionDenied
        if "confirmed" not in request.POST and queryset.exists():
            return self._ask(request, queryset, question)
        enabled = question is ENABLE
        was, now = {"enabled": not enabled}, {"enabled": enabled}
        with transaction.atomic():
            schedules = list(queryset.select_for_update(of=("self",)))
            PeriodicTask.objects.filter(pk__in=[schedule.pk for schedule in schedules]).update(
                enabled=enabled
            )
            start_anew([schedule.pk for schedule in schedules])
            deeds = [Change(self.audit_target(schedule), was, now) for schedule in schedules]
            audit.record_each(
                audit.by(request), f"schedule.{question.action}", deeds, reason=audit.why(request)
            )
        self.message_user(request, f"{question.done}: {len(schedules)}.", messages.SUCCESS)
        return None

    def _ask(
        self, request: HttpRequest, schedules: QuerySet[PeriodicTask], question: Question
    ) -> HttpResponse:
        """Return the page that asks, and for the reason."""
        context = {
            **self.admin_site.each_context(request),
            "title": question.title,
            "opts": self.opts,
            "question": question,
            "schedules": schedules,
            "checkbox": ACTION_CHECKBOX_NAME,
            "request_id": uuid4(),
        }
        return TemplateResponse(request, "admin/jobs/ask_schedules.html", context)

    # --- a run by hand ------------------------------------------------------------------------------------------------

    def has_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("jobs.run_schedule")

    @admin.action(description="Run selected schedules now", permissions=["run"])
    def run(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> HttpResponse | None:
        """Ask first; then enqueue a run of each. The page's own id makes a second click on it the same request."""
        if not self.has_run_permission(request):
            raise PermissionDenied
        try:
            request_id = UUID(request.POST.get("request_id", ""))
        except ValueError:
            return self._ask(request, queryset, RUN)
        for schedule in queryset:
            self._run(request, schedule, request_id)
        return None

    def _run(self, request: HttpRequest, schedule: PeriodicTask, request_id: UUID) -> None:
        try:
            with transaction.atomic():
                job = run_now(schedule, request_id)
                ran = {"job": job, "task": schedule.task, "args": schedule.args, "kwargs": schedule.kwargs}
                target = self.audit_target(schedule)
                audit.record(audit.by(request), "schedule.run", target, reason=audit.why(request), after=ran)
        except Exception as error:  # noqa: BLE001  whatever is wrong with this one, the person is told, and the others run
            self.message_user(request, f"{schedule.name} cannot run: {error}", messages.ERROR)
        else:
            self.message_user(request, f"{schedule.name} runs as job {job}.", messages.SUCCESS)
