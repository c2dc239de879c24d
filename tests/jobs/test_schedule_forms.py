"""Schedules in the admin: what is refused, and why."""

from http import HTTPStatus

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask, SolarSchedule

from proj.jobs.schedulable import schedulable_tasks
from proj.schedule import SCHEDULES
from tests.jobs.schedule_pages import change, daily, errors_of, form_of, schedule

__all__ = ["daily", "schedule"]  # fixtures are found by their names here

pytestmark = pytest.mark.django_db


def test_every_schedule_of_ours_may_be_scheduled():
    assert {entry.task for entry in SCHEDULES} <= set(schedulable_tasks())


def test_tasks_that_do_not_say_so_may_not_be_scheduled():
    names = set(schedulable_tasks())

    assert "tests.counted" in names
    assert names & {"tests.private", "orders.charge_order", "celery.chord", "celery.map"} == set()


def test_a_task_outside_the_list_is_refused(admin_client, schedule):
    errors = errors_of(admin_client, change(schedule), form_of(schedule, regtask="tests.private", args="[]"))

    assert errors["regtask"][0]["code"] == "invalid_choice"
    schedule.refresh_from_db()
    assert schedule.task == "tests.counted"


def test_the_field_behind_the_form_is_no_way_around_it(admin_client, schedule):
    form = form_of(
        schedule,
        task="tests.private",
        exchange="x",
        routing_key="y",
        headers='{"a": 1}',
        last_run_at="2020-01-01",
    )

    assert admin_client.post(change(schedule), form).status_code == HTTPStatus.FOUND

    schedule.refresh_from_db()
    assert (schedule.task, schedule.exchange, schedule.routing_key) == ("tests.counted", None, None)
    assert schedule.last_run_at.year > 2020


def test_a_task_that_is_outside_the_list_already_may_stay_but_not_with_other_arguments(
    admin_client, schedule
):
    PeriodicTask.objects.update(task="tests.private")
    schedule.refresh_from_db()

    errors = errors_of(admin_client, change(schedule), form_of(schedule, args="[2]"))
    assert "may not be scheduled" in errors["args"][0]["message"]

    response = admin_client.post(change(schedule), form_of(schedule, enabled=None))
    assert response.status_code == HTTPStatus.FOUND
    schedule.refresh_from_db()
    assert (schedule.enabled, schedule.args) == (False, "[1]")


@pytest.mark.parametrize(
    ("arguments", "field", "reason"),
    [
        ({"args": "[1"}, "args", "This is not JSON"),
        ({"args": '{"number": 1}'}, "args", "has to be a JSON list"),
        ({"kwargs": "[1]"}, "kwargs", "has to be a JSON object"),
        ({"args": "[]"}, "args", "missing a required argument: 'number'"),
        ({"args": "[1, 2, 3]"}, "args", "too many positional arguments"),
        ({"kwargs": '{"colour": 1}'}, "args", "got an unexpected keyword argument 'colour'"),
        ({"args": '["one"]'}, "args", "number: Input should be a valid integer, not 'one'."),
        ({"queue": "nowhere"}, "queue", "Select a valid choice"),
        ({"priority": 10}, "priority", "less than or equal to 9"),
        ({"missed_after": -1}, "missed_after", "greater than or equal to 0"),
        ({"catch_up": 101}, "catch_up", "less than or equal to 100"),
        ({"misfire": "maybe"}, "misfire", "Select a valid choice"),
        (
            {"expires_0": "2030-01-01", "expires_1": "00:00", "expire_seconds": 5},
            "expire_seconds",
            "Only one",
        ),
    ],
)
def test_what_could_not_run_is_refused_with_its_reason(admin_client, schedule, arguments, field, reason):
    errors = errors_of(admin_client, change(schedule), form_of(schedule, **arguments))

    assert list(errors) == [field]
    assert reason in errors[field][0]["message"]


def test_the_sun_is_not_followed_without_what_it_takes(admin_client, schedule):
    sunrise = SolarSchedule.objects.create(event="sunrise", latitude=51.5, longitude=0)

    errors = errors_of(admin_client, change(schedule), form_of(schedule, crontab=None, solar=sunrise.pk))

    assert "needs the ephem package" in errors["solar"][0]["message"]


@pytest.mark.parametrize(
    ("field", "expression", "reason"),
    [
        ("minute", "60", "From 0 to 59"),
        ("hour", "0-99999999", "From 0 to 23"),
        ("day_of_week", "7", "From 0 to 6"),
        ("minute", "*/0", "From 0 to 59"),
        ("day_of_month", "0", "From 1 to 31"),
        ("month_of_year", "13", "From 1 to 12"),
    ],
)
def test_a_crontab_is_read_as_the_scheduler_will(admin_client, field, expression, reason):
    form = {"minute": "0", "hour": "4", "day_of_month": "*", "month_of_year": "*", "day_of_week": "*"}
    inline = {"periodictask_set-TOTAL_FORMS": 0, "periodictask_set-INITIAL_FORMS": 0}
    address = "/admin/django_celery_beat/crontabschedule/add/"

    errors = errors_of(admin_client, address, form | inline | {"timezone": "UTC", field: expression})

    assert list(errors) == [field]
    assert errors[field][0]["message"].startswith(reason)


def test_a_day_that_no_month_has_is_refused(admin_client):
    form = {"minute": "0", "hour": "4", "day_of_month": "30", "month_of_year": "2", "day_of_week": "*"}
    inline = {"periodictask_set-TOTAL_FORMS": 0, "periodictask_set-INITIAL_FORMS": 0}
    address = "/admin/django_celery_beat/crontabschedule/add/"

    assert list(errors_of(admin_client, address, form | inline | {"timezone": "UTC"})) == ["day_of_month"]


@pytest.mark.parametrize(("every", "period"), [(1, "microseconds"), (2_000_000_000, "days")])
def test_an_interval_that_nobody_can_keep_is_refused(admin_client, every, period):
    inline = {"periodictask_set-TOTAL_FORMS": 0, "periodictask_set-INITIAL_FORMS": 0}
    form = {"every": every, "period": period} | inline

    errors = errors_of(admin_client, "/admin/django_celery_beat/intervalschedule/add/", form)

    assert list(errors) == ["every"]
    assert IntervalSchedule.objects.count() == 0
