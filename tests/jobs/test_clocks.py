"""What the admin foretells of a schedule when the clocks change."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from proj.jobs.clocks import MOST, next_change, runs_around
from proj.jobs.slots import Crontab

LONDON = ZoneInfo("Europe/London")
WINTER, SUMMER = datetime(2026, 11, 21, 5, 31, 7, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
DAILY = {"day_of_month": "*", "month_of_year": "*", "day_of_week": "*"}


@pytest.mark.parametrize(
    ("zone", "after", "change"),
    [
        ("Europe/London", WINTER, "2027-03-28T02:00:00+01:00"),
        ("Europe/London", SUMMER, "2026-10-25T01:00:00+00:00"),
        ("Australia/Lord_Howe", WINTER, "2027-04-04T01:30:00+10:30"),  # by half an hour
        ("UTC", WINTER, None),
        ("Asia/Tokyo", SUMMER, None),
    ],
)
def test_the_next_change_is_found_to_the_minute(zone, after, change):
    found = next_change(ZoneInfo(zone), after)

    assert (found.isoformat() if found else None) == change


@pytest.mark.parametrize("after", ["2027-03-28T00:59:00+00:00", "2027-03-28T01:00:00+00:00"])
def test_a_change_is_ahead_until_its_minute_has_come(after):
    moment = datetime.fromisoformat(after)

    assert (next_change(LONDON, moment).month == 3) == (moment.minute == 59)


def around(minute, hour, after):
    timing = Crontab.parse(LONDON, minute=minute, hour=hour, **DAILY)
    return [f"{run:%H:%M %Z}" for run in runs_around(timing, next_change(LONDON, after))]


def test_runs_around_a_change_are_told_by_the_clocks_of_the_zone():
    assert around("30", "*", WINTER)[2:6] == ["23:30 GMT", "00:30 GMT", "02:30 BST", "03:30 BST"]
    assert around("30", "*", SUMMER)[2:6] == ["00:30 BST", "01:30 BST", "01:30 GMT", "02:30 GMT"]
    assert around("0", "12", WINTER) == []
    assert len(around("*", "*", WINTER)) == MOST


@time_machine.travel(WINTER, tick=False)
def test_the_page_of_a_schedule_foretells_it(admin_client):
    early = CrontabSchedule.objects.create(minute="30", hour="1", timezone=LONDON)
    schedule = PeriodicTask.objects.create(name="Early", task="tests.counted", crontab=early)

    page = admin_client.get(f"/admin/django_celery_beat/periodictask/{schedule.pk}/change/").content.decode()

    assert "On Sun 28 Mar 2027, 00:59:00 GMT the next minute is 02:00 BST." in page
    assert "<div>Sun 28 Mar 2027, 02:" in page  # an hour that there is not: it runs when that is over
    assert "<div>Sun 22 Nov 2026, 01:30:00 GMT</div>" in page


@time_machine.travel(WINTER, tick=False)
def test_where_clocks_never_change_it_says_so(admin_client):
    daily = CrontabSchedule.objects.create(minute="30", hour="1", timezone="UTC")
    schedule = PeriodicTask.objects.create(name="Early", task="tests.counted", crontab=daily)

    page = admin_client.get(f"/admin/django_celery_beat/periodictask/{schedule.pk}/change/").content.decode()

    assert "Those of UTC never do." in page
