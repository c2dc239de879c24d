"""Which days a report may have."""

from datetime import date

from django.utils import timezone

from reports.errors import ReportRefused

MAX_DAYS = 366  # a leap year


def check(first: date, last: date) -> None:
    """Refuse days that no report can have.

    Raises:
        ReportRefused: in the wrong order, in the future, or more than ``MAX_DAYS``.
    """
    if first > last:
        raise ReportRefused("dates_reversed", "The first day is after the last day.")
    if last > timezone.now().date():
        raise ReportRefused("date_in_future", "A report cannot include days that are still to come.")
    if (last - first).days >= MAX_DAYS:
        raise ReportRefused("too_many_days", f"A report covers at most {MAX_DAYS} days.")
