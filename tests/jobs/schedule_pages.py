"""The admin's pages of schedules, as a browser uses them; and tasks that may be scheduled or not."""

from http import HTTPStatus

import pytest
from celery import shared_task
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask

LIST = "/admin/django_celery_beat/periodictask/"
LIMITS = {"queue": "default", "soft_time_limit": 20, "time_limit": 30}


@shared_task(name="tests.counted", schedulable=True, **LIMITS)
def counted(number: int, label: str = "") -> str:
    """Stands for a task that may be scheduled."""
    return label * number


@shared_task(name="tests.private", **LIMITS)
def private(number: int = 0) -> int:
    """Stands for a task that may not."""
    return number


@pytest.fixture
def daily() -> CrontabSchedule:
    return CrontabSchedule.objects.create(minute="30", hour="4", timezone="UTC")


@pytest.fixture
def schedule(daily) -> PeriodicTask:
    return PeriodicTask.objects.create(
        name="Counting", task="tests.counted", args="[1]", crontab=daily, last_run_at=timezone.now()
    )


def form_of(schedule: PeriodicTask | None = None, **changes) -> dict[str, object]:
    """Return what the browser would send."""
    form = {
        "name": schedule.name if schedule else "New",
        "regtask": schedule.task if schedule else "tests.counted",
        "enabled": "on",
        "crontab": schedule.crontab_id if schedule else None,
        "args": schedule.args if schedule else "[1]",
        "kwargs": "{}",
    }
    return {name: value for name, value in (form | changes).items() if value is not None}


def errors_of(client, address: str, form: dict[str, object]) -> dict[str, list[str]]:
    """Send a form that is refused, and return why."""
    response = client.post(address, form)
    assert response.status_code == HTTPStatus.OK, "it was accepted"
    return response.context["adminform"].form.errors.get_json_data()


def change(schedule: PeriodicTask) -> str:
    return f"{LIST}{schedule.pk}/change/"
