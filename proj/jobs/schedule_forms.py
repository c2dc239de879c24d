"""The forms of the schedules in the admin: what could not run is refused with a reason, before it is stored."""

import importlib.util
from datetime import timedelta
from typing import Any

from celery.schedules import ParseException, crontab_parser
from django import forms
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from kombu.utils.json import loads

from proj.jobs.misfires import Misfire
from proj.jobs.models import Overlap, SchedulePolicy
from proj.jobs.schedulable import argument_errors, schedulable_tasks
from proj.jobs.schedules import TIMINGS, policy_of
from proj.jobs.slots import Crontab
from proj.queues import PURPOSES

POLICY = ("misfire", "catch_up", "missed_after", "overlap")


def _task_choices() -> list[tuple[str, str]]:
    return [("", "---------"), *((name, name) for name in schedulable_tasks())]


class ScheduleForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for mypy only
    """A schedule and its policy. Fields of the policy that are not sent keep their values."""

    regtask = forms.ChoiceField(
        label="Task", choices=_task_choices, help_text="Tasks that say that they may be scheduled."
    )
    queue = forms.ChoiceField(
        required=False,
        choices=[("", "the task's own"), *((name, f"{name}: {why}") for name, why in PURPOSES.items())],
    )
    priority = forms.IntegerField(
        required=False, min_value=0, max_value=9, help_text="0 is the most urgent, 9 the least."
    )
    misfire = forms.ChoiceField(required=False, choices=Misfire.choices, label="Missed runs")
    catch_up = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=100,
        label="At most",
        help_text="How many missed runs are made up for when all are: the latest.",
    )
    missed_after = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=7 * 24 * 60 * 60,
        label="Missed after",
        help_text="Seconds. A run that is later than this counts as missed.",
    )
    overlap = forms.ChoiceField(required=False, choices=Overlap.choices, label="While one is not done")

    class Meta:
        model = PeriodicTask
        # Not the exchange, the routing key and the headers: a message that goes astray is not in the ledger.
        fields = [
            "name",
            "enabled",
            "description",
            *TIMINGS,
            "start_time",
            "expires",
            "one_off",
            "args",
            "kwargs",
            "queue",
            "priority",
            "expire_seconds",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.policy = policy_of(self.instance) if self.instance.pk else SchedulePolicy()
        self.initial.update({name: getattr(self.policy, name) for name in POLICY})
        task: Any = self.fields.get("regtask")
        if task is not None and self.instance.task:
            self.initial["regtask"] = self.instance.task
            if self.instance.task not in schedulable_tasks():
                task.choices = [*_task_choices(), (self.instance.task, f"{self.instance.task} (as it is)")]

    def clean_args(self) -> str:
        return self._json("args", list, "[]")

    def clean_kwargs(self) -> str:
        return self._json("kwargs", dict, "{}")

    def _json(self, name: str, kind: type, empty: str) -> str:
        text: str = self.cleaned_data[name] or empty
        try:
            value = loads(text)
        except ValueError as error:
            raise forms.ValidationError(f"This is not JSON: {error}.") from error
        if not isinstance(value, kind):
            raise forms.ValidationError(f"This has to be a JSON {'list' if kind is list else 'object'}.")
        return text

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        for name in POLICY:
            if data.get(name) in ("", None):
                data[name] = getattr(self.policy, name)
        if data.get("expires") and data.get("expire_seconds") is not None:
            self.add_error("expire_seconds", "Only one can be set: this, or the time at which it expires.")
        if data.get("solar") and importlib.util.find_spec("ephem") is None:
            self.add_error("solar", "Following the sun needs the ephem package, which is not installed.")
        if {"regtask", "args", "kwargs"} <= data.keys():
            self._check_task(data["regtask"], data["args"], data["kwargs"])
        return data

    def _check_task(self, task: str, args: str, kwargs: str) -> None:
        if task in schedulable_tasks():
            for error in argument_errors(task, loads(args), loads(kwargs)):
                self.add_error("args", error)
        elif (args, kwargs) != (self.instance.args, self.instance.kwargs):
            self.add_error("args", f"{task} may not be scheduled: it can stay as it is, or be disabled.")

    def _post_clean(self) -> None:
        if "regtask" in self.cleaned_data:
            self.instance.task = self.cleaned_data["regtask"]
        super()._post_clean()  # type: ignore[misc]


#: The numbers of each field: how many, and the first.
RANGES = {
    "minute": (60, 0),
    "hour": (24, 0),
    "day_of_month": (31, 1),
    "month_of_year": (12, 1),
    "day_of_week": (7, 0),
}


class CrontabForm(forms.ModelForm):  # type: ignore[type-arg]
    """Reads the expressions as the scheduler will: django-celery-beat's own check lets pass what Celery refuses."""

    class Meta:
        model = CrontabSchedule
        fields = [*RANGES, "timezone"]
        help_texts = {"day_of_week": 'Sunday is 0, Saturday 6; or "mon-fri". "*" is every day.'}

    def _clean_fields(self) -> None:
        super()._clean_fields()  # type: ignore[misc]  # not in the stubs
        for name, (size, first) in RANGES.items():
            if name in self.cleaned_data:
                self.cleaned_data[name] = expression = "".join(self.cleaned_data[name].split())
                try:
                    crontab_parser(size, first).parse(expression)
                except (ValueError, ParseException) as error:
                    self.add_error(name, f"From {first} to {first + size - 1}, or *: {error}")

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if RANGES.keys() | {"timezone"} <= data.keys():
            try:
                Crontab.parse(data["timezone"], **{name: data[name] for name in RANGES})
            except ValueError as error:
                self.add_error("day_of_month", str(error))
        return data


class IntervalForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = IntervalSchedule
        fields = ["every", "period"]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if {"every", "period"} <= data.keys():
            try:
                period = timedelta(**{data["period"]: data["every"]})
            except OverflowError:
                self.add_error("every", "Nobody will live to see it.")
            else:
                if period < timedelta(seconds=1):
                    self.add_error("every", "At least a second: beat looks once a second.")
        return data
