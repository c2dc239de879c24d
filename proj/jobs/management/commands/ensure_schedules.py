from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from proj.schedule import SCHEDULES, Crontab, Entry


class Command(BaseCommand):
    help = "Creates the schedules of proj/schedule.py that are missing. Never changes one that exists."

    def handle(self, *_args: Any, **_options: Any) -> None:
        created = [entry.name for entry in SCHEDULES if ensure(entry)]
        self.stdout.write(f"created {len(created)} of {len(SCHEDULES)} schedules")
        for name in created:
            self.stdout.write(f"  {name}")


@transaction.atomic
def ensure(entry: Entry) -> bool:
    """Create the schedule if no one has its name; return whether it was created.

    The schedule's own row (crontab or interval) is shared by every entry with the same times, as the admin does.
    """
    if PeriodicTask.objects.filter(name=entry.name).exists():
        return False
    PeriodicTask.objects.create(
        name=entry.name, task=entry.task, description=entry.why, **_timing(entry.when)
    )
    return True


def _timing(when: Crontab | timedelta) -> dict[str, CrontabSchedule | IntervalSchedule]:
    if isinstance(when, Crontab):
        crontab, _ = CrontabSchedule.objects.get_or_create(
            minute=when.minute,
            hour=when.hour,
            timezone="UTC",
            day_of_week="*",
            day_of_month="*",
            month_of_year="*",
        )
        return {"crontab": crontab}
    interval, _ = IntervalSchedule.objects.get_or_create(
        every=int(when.total_seconds()), period=IntervalSchedule.SECONDS
    )
    return {"interval": interval}
