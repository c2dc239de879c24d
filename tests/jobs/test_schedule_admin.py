"""Schedules in the admin: what is shown, what is refused, who may do what."""

import json
from datetime import timedelta
from http import HTTPStatus

import pytest
from celery import shared_task
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from proj.jobs import schedules
from proj.jobs.models import Job, SchedulePolicy, SkippedSlots
from proj.jobs.schedulable import schedulable_tasks
from proj.schedule import SCHEDULES

pytestmark = pytest.mark.django_db

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


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_the_list_says_when_in_words_and_when_next(admin_client, schedule):
    page = admin_client.get(LIST).content.decode()

    assert "At 04:30 AM UTC" in page
    assert page.count("04:30:00 UTC") == 3


def test_the_page_shows_what_was_skipped(admin_client, schedule):
    now = timezone.now()
    SkippedSlots.objects.create(periodic_task=schedule, reason="missed", first=now, last=now, size=7)

    assert "beat was away" in admin_client.get(change(schedule)).content.decode()


def test_a_crontab_that_cannot_run_says_so_in_the_list(admin_client, schedule):
    CrontabSchedule.objects.update(day_of_month="31", month_of_year="2")

    assert "cannot run" in admin_client.get(LIST).content.decode()


def test_a_schedule_that_is_disabled_has_no_next_run(schedule):
    schedule.enabled = False

    assert schedules.next_slots(schedule, timezone.now(), 3) == []


def test_a_schedule_that_runs_once_has_one_next_run(schedule):
    schedule.one_off = True

    assert len(schedules.next_slots(schedule, timezone.now(), 3)) == 1


def test_whoever_may_only_look_sees_the_policy(client, schedule):
    client.force_login(staff("view_periodictask"))

    page = client.get(change(schedule)).content.decode()

    assert "one run makes up for them" in page
    assert "tests.counted" in page
    assert 'name="args"' not in page


# --- what is refused --------------------------------------------------------------------------------------------------


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


# --- what is changed --------------------------------------------------------------------------------------------------


def test_a_schedule_is_made_with_its_policy(admin_client, daily):
    form = form_of(
        crontab=daily.pk, misfire="all", catch_up=5, missed_after=60, overlap="skip", queue="bulk", priority=9
    )

    assert admin_client.post(f"{LIST}add/", form).status_code == HTTPStatus.FOUND

    made = PeriodicTask.objects.get()
    assert (made.task, made.queue, made.priority) == ("tests.counted", "bulk", 9)
    policy = made.policy
    assert (policy.misfire, policy.catch_up, policy.missed_after, policy.overlap) == ("all", 5, 60, "skip")


def test_an_edit_keeps_what_it_does_not_mention(admin_client, schedule):
    slot = timezone.now()
    SchedulePolicy.objects.create(periodic_task=schedule, misfire="skip", overlap="queue", waiting_slot=slot)

    admin_client.post(change(schedule), form_of(schedule, description="why"))

    policy = SchedulePolicy.objects.get()
    assert (policy.misfire, policy.overlap, policy.waiting_slot) == ("skip", "queue", slot)
    before = schedule.last_run_at
    schedule.refresh_from_db()
    assert (schedule.description, schedule.last_run_at) == ("why", before)


def test_other_times_begin_anew(admin_client, schedule):
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(days=2))
    noon = CrontabSchedule.objects.create(minute="0", hour="12", timezone="UTC")

    admin_client.post(change(schedule), form_of(schedule, crontab=noon.pk))

    schedule.refresh_from_db()
    assert schedule.last_run_at is None
    assert timezone.now() - schedules.decided_until(schedule) < timedelta(minutes=1)


# --- who may do what --------------------------------------------------------------------------------------------------


def staff(*permissions: str) -> User:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def act(client, action: str, schedule: PeriodicTask, **more):
    return client.post(LIST, {"action": action, "_selected_action": [schedule.pk], **more})


def test_enabling_and_disabling_are_noted_and_begin_anew(admin_client, schedule):
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(days=2))

    act(admin_client, "disable", schedule)
    schedule.refresh_from_db()
    assert not schedule.enabled

    act(admin_client, "enable", schedule)
    schedule.refresh_from_db()
    assert (schedule.enabled, schedule.last_run_at) == (True, None)
    messages = LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
    assert list(messages) == ["Disabled.", "Enabled."]


@pytest.mark.parametrize("action", ["enable", "disable", "run"])
def test_whoever_may_only_look_changes_nothing(client, schedule, action):
    client.force_login(staff("view_periodictask"))

    act(client, action, schedule, request_id="6c1f7d0e-6f0c-4a1c-9a41-6d6c1b1f2f5e")

    schedule.refresh_from_db()
    assert schedule.enabled
    assert (Job.objects.count(), LogEntry.objects.count()) == (0, 0)


@pytest.mark.parametrize(("permission", "jobs"), [("change_periodictask", 0), ("run_schedule", 1)])
def test_a_run_by_hand_takes_a_permission_of_its_own(client, schedule, permission, jobs):
    client.force_login(staff("view_periodictask", permission))

    act(client, "run", schedule, request_id="6c1f7d0e-6f0c-4a1c-9a41-6d6c1b1f2f5e")

    assert Job.objects.count() == jobs


def test_a_run_by_hand_asks_first_and_a_second_click_adds_none(admin_client, schedule):
    page = act(admin_client, "run", schedule)
    assert "Counting: tests.counted with [1] {}" in page.content.decode()
    assert Job.objects.count() == 0

    for _ in range(2):
        act(admin_client, "run", schedule, request_id=page.context["request_id"])

    job = Job.objects.get()
    assert (job.task, json.loads(job.message["body"])[0]) == ("tests.counted", [1])
    assert job.subject == f"schedule:{schedule.pk}"
    assert LogEntry.objects.first().change_message == f"Run now, as job {job.pk}."
    before = schedule.last_run_at
    schedule.refresh_from_db()
    assert schedule.last_run_at == before


def test_a_run_by_hand_that_cannot_be_enqueued_says_why(admin_client, schedule):
    PeriodicTask.objects.update(args="[]")

    response = admin_client.post(
        LIST,
        {
            "action": "run",
            "_selected_action": [schedule.pk],
            "request_id": "6c1f7d0e-6f0c-4a1c-9a41-6d6c1b1f2f5e",
        },
        follow=True,
    )

    assert (
        "Counting cannot run: counted() missing 1 required positional argument" in response.content.decode()
    )
    assert Job.objects.count() == 0
