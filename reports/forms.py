from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone

from reports import days
from reports.errors import ReportRefused


class DayInput(forms.DateInput):
    """The browser's own calendar; without one, a text field that takes ISO dates."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class ReportForm(forms.Form):
    """The days that a report covers; today and the six before unless something else is chosen."""

    first = forms.DateField(label="First day", widget=DayInput, initial=lambda: days_ago(6))
    last = forms.DateField(
        label="Last day",
        widget=DayInput,
        initial=lambda: days_ago(0),
        help_text="This day is part of the report; of today, what there is so far.",
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **options})

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if "first" in cleaned and "last" in cleaned:
            try:
                days.check(cleaned["first"], cleaned["last"])
            except ReportRefused as refused:
                raise forms.ValidationError(refused.detail, code=refused.code) from refused
        return cleaned


def days_ago(days: int) -> Any:
    """Return the date ``days`` days before today."""
    return timezone.now().date() - timedelta(days=days)
