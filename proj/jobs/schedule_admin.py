"""Schedules in the Django admin: in plain words, with what comes next, their policies, and a run by hand."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django_celery_beat import admin as upstream
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from proj.jobs.admin_audit import Audited
from proj.jobs.clocks import next_change, runs_around
from proj.jobs.models import SchedulePolicy, SkippedSlots
from proj.jobs.schedule_forms import POLICY, CrontabForm, IntervalForm, ScheduleForm
from proj.jobs.schedule_switching import Switching
from proj.jobs.schedules import TIMINGS, next_slots, policy_of, start_anew, timing_of

#: What makes a schedule begin anew: nothing is made up for that the new times would have named in the past.
_TIMES = {*TIMINGS, "start_time", "enabled"}
_NOTHING = "-"


for model in (PeriodicTask, CrontabSchedule, IntervalSchedule):
    admin.site.unregister(model)


@admin.register(PeriodicTask)
class ScheduleAdmin(Switching, Audited, admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    audited_as = "schedule"
    form = ScheduleForm
    list_display = ["name", "enabled", "in_words", "next_runs", "last_run"]
    list_filter = ["enabled", "task"]
    list_select_related = [*TIMINGS, "policy"]
    search_fields = ["name", "task", "description"]
    ordering = ["name"]
    actions = ["run", "enable", "disable"]
    readonly_fields = ["in_words", "next_runs", "clocks", "last_run", "skipped"]
    fieldsets = [
        (None, {"fields": ["name", "regtask", "enabled", "description"]}),
        (
            "Times",
            {
                "fields": [
                    *TIMINGS,
                    "start_time",
                    "expires",
                    "one_off",
                    "in_words",
                    "next_runs",
                    "clocks",
                    "last_run",
                ],
                "description": "One of the first four. Beat follows within two seconds.",
            },
        ),
        ("When it cannot run in time", {"fields": [*POLICY, "skipped"]}),
        ("Arguments", {"fields": ["args", "kwargs"]}),
        ("Message", {"fields": ["queue", "priority", "expire_seconds"], "classes": ["collapse"]}),
    ]

    # --- what is shown ------------------------------------------------------------------------------------------------

    @admin.display(description="when")
    def in_words(self, schedule: PeriodicTask) -> str:
        if schedule.crontab:
            return str(schedule.crontab.human_readable)
        return str(schedule.scheduler or _NOTHING)

    @admin.display(description="next three runs")
    def next_runs(self, schedule: PeriodicTask) -> str:
        if schedule.scheduler is None:
            return _NOTHING
        try:
            slots = next_slots(schedule, timezone.now(), 3)
        except (ValueError, OverflowError, ImproperlyConfigured) as error:
            return f"cannot run: {error}"
        zone = schedule.crontab.timezone if schedule.crontab else None
        return format_html_join("", "<div>{}</div>", ((_shown(slot, zone),) for slot in slots)) or _NOTHING

    @admin.display(description="when the clocks change")
    def clocks(self, schedule: PeriodicTask) -> str:
        """What a crontab does about an hour that there is not, or that there is twice; nothing else goes by clocks."""
        if not schedule.crontab:
            return _NOTHING
        zone = schedule.crontab.timezone
        change = next_change(zone, timezone.now())
        if change is None:
            return f"Those of {zone} never do."
        try:
            runs = runs_around(timing_of(schedule), change)
        except ValueError as error:
            return f"cannot run: {error}"
        lines = [
            f"On {_shown(change.astimezone(UTC) - timedelta(minutes=1), zone)} the next minute is {change:%H:%M %Z}."
        ]
        lines.append("Its runs around that:" if runs else "It does not run in the hours around that.")
        return format_html_join(
            "", "<div>{}</div>", ([line] for line in (*lines, *(_shown(run, zone) for run in runs)))
        )

    @admin.display(description="last run", ordering="last_run_at")
    def last_run(self, schedule: PeriodicTask) -> str:
        return _shown(schedule.last_run_at) if schedule.last_run_at else _NOTHING

    @admin.display(description="skipped lately")
    def skipped(self, schedule: PeriodicTask) -> str:
        lately = SkippedSlots.objects.filter(periodic_task=schedule.pk).order_by("-last")[:5]
        lines = ((row.size, _shown(row.first), _shown(row.last), row.get_reason_display()) for row in lately)
        return format_html_join("", "<div>{}, from {} to {}: {}</div>", lines) or _NOTHING

    # The form's own fields, for those who may only look.

    @admin.display(description="task")
    def regtask(self, schedule: PeriodicTask) -> str:
        return str(schedule.task)

    @admin.display(description="missed runs")
    def misfire(self, schedule: PeriodicTask) -> str:
        return policy_of(schedule).get_misfire_display()

    @admin.display(description="at most")
    def catch_up(self, schedule: PeriodicTask) -> int:
        return policy_of(schedule).catch_up

    @admin.display(description="missed after")
    def missed_after(self, schedule: PeriodicTask) -> str:
        return f"{policy_of(schedule).missed_after} s"

    @admin.display(description="while one is not done")
    def overlap(self, schedule: PeriodicTask) -> str:
        return policy_of(schedule).get_overlap_display()

    # --- what is changed ----------------------------------------------------------------------------------------------

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> PeriodicTask | None:
        """Lock the row that is about to be saved: all of it is, and beat must not write in between."""
        schedule: PeriodicTask | None = super().get_object(request, object_id, from_field)
        if schedule is not None and request.method == "POST":
            return PeriodicTask.objects.select_for_update().filter(pk=schedule.pk).first()
        return schedule

    def save_model(self, request: HttpRequest, obj: PeriodicTask, form: Any, change: bool) -> None:  # noqa: FBT001  Django's
        super().save_model(request, obj, form, change)
        policy = {name: form.cleaned_data[name] for name in POLICY}
        SchedulePolicy.objects.update_or_create(periodic_task=obj, defaults=policy)
        if not change or _TIMES & set(form.changed_data):
            start_anew([obj.pk])


@admin.register(CrontabSchedule)
class CrontabAdmin(Audited, upstream.CrontabScheduleAdmin):  # type: ignore[misc]  # untyped
    audited_as = "crontab"
    form = CrontabForm


@admin.register(IntervalSchedule)
class IntervalAdmin(Audited, upstream.IntervalScheduleAdmin):  # type: ignore[misc]
    audited_as = "interval"
    form = IntervalForm


def _shown(moment: datetime, zone: tzinfo | None = None) -> str:
    local = timezone.localtime(moment, zone)
    return f"{date_format(local, 'D j M Y, H:i:s')} {local.tzname()}"
