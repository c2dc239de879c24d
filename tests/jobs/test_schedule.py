import io

import pytest
from celery import current_app
from django.core.management import call_command
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from proj.jobs.scheduler import LedgerScheduler
from proj.schedule import SCHEDULES

pytestmark = pytest.mark.django_db


def ensure_schedules() -> str:
    out = io.StringIO()
    call_command("ensure_schedules", stdout=out)
    return out.getvalue()


def test_every_schedule_names_a_task_that_exists():
    assert [entry.task for entry in SCHEDULES if entry.task not in current_app.tasks] == []


def test_missing_schedules_are_created():
    out = ensure_schedules()

    assert out.startswith(f"created {len(SCHEDULES)} of {len(SCHEDULES)} schedules")
    nightly = PeriodicTask.objects.get(name="Nightly clean-up")
    assert (nightly.crontab.hour, nightly.crontab.minute, str(nightly.crontab.timezone)) == ("2", "0", "UTC")
    assert nightly.enabled


def test_an_edited_schedule_is_never_overwritten():
    ensure_schedules()
    noon, _ = CrontabSchedule.objects.get_or_create(minute="0", hour="12")
    PeriodicTask.objects.filter(name="Nightly clean-up").update(crontab=noon, enabled=False)

    out = ensure_schedules()

    assert out.startswith(f"created 0 of {len(SCHEDULES)} schedules")
    nightly = PeriodicTask.objects.get(name="Nightly clean-up")
    assert (nightly.crontab.hour, nightly.enabled) == ("12", False)


@pytest.mark.django_db(transaction=True)
def test_a_starting_beat_writes_no_schedules_of_its_own():
    LedgerScheduler(app=current_app, lazy=False)

    assert PeriodicTask.objects.count() == 0
