"""Schedules in the admin: what is shown, what is changed, who may do what."""

import json
from datetime import timedelta
from http import HTTPStatus
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from proj.jobs import audit, schedules
from proj.jobs.models import AuditEntry, Job, SchedulePolicy, SkippedSlots
from tests.jobs.schedule_pages import LIST, change, daily, form_of, schedule

__all__ = ["daily", "schedule"]  # fixtures are found by their names here

pytestmark = pytest.mark.django_db


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


def test_an_edit_is_written_down_with_what_was_there_before(admin_client, schedule):
    admin_client.post(change(schedule), form_of(schedule, description="why", misfire="all"))

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target) == ("schedule.change", f"schedule:{schedule.pk}")
    assert (entry.before, entry.after) == (
        {"description": "", "misfire": "latest"},
        {"description": "why", "misfire": "all"},
    )


def test_an_edit_that_cannot_be_written_down_is_not_made(admin_client, schedule, monkeypatch):
    monkeypatch.setattr(audit, "record", Mock(side_effect=ZeroDivisionError))

    with pytest.raises(ZeroDivisionError):
        admin_client.post(change(schedule), form_of(schedule, description="why"))

    schedule.refresh_from_db()
    assert schedule.description == ""


def test_a_schedule_that_is_made_or_deleted_is_written_down(admin_client, schedule, daily):
    admin_client.post(f"{LIST}add/", form_of(crontab=daily.pk))
    made = PeriodicTask.objects.get(name="New")
    admin_client.post(f"{LIST}{made.pk}/delete/", {"post": "yes"})
    act(admin_client, "delete_selected", schedule, post="yes")

    said = AuditEntry.objects.order_by("pk").values_list("action", "target")
    assert list(said) == [
        ("schedule.add", f"schedule:{made.pk}"),
        ("schedule.delete", f"schedule:{made.pk}"),
        ("schedule.delete", f"schedule:{schedule.pk}"),
    ]
    assert AuditEntry.objects.latest("pk").before["name"] == "Counting"
    assert not PeriodicTask.objects.exists()


def test_the_history_of_a_schedule_is_the_audit_log(admin_client, schedule):
    page = admin_client.get(f"{LIST}{schedule.pk}/history/")

    assert page.url == f"/admin/jobs/auditentry/?target=schedule%3A{schedule.pk}"


def test_the_row_is_locked_while_it_is_saved(admin_client, schedule):
    """All of it is written: without the lock, what beat writes in between would be written over."""
    with CaptureQueriesContext(connection) as queries:
        admin_client.post(change(schedule), form_of(schedule, description="why"))

    said = [query["sql"] for query in queries if '"django_celery_beat_periodictask"' in query["sql"]]
    locked = next(place for place, sql in enumerate(said) if "FOR UPDATE" in sql)
    written = next(place for place, sql in enumerate(said) if sql.startswith("UPDATE"))
    assert locked < written


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

    act(admin_client, "disable", schedule, confirmed="yes", reason=" stock-taking ")
    schedule.refresh_from_db()
    assert not schedule.enabled

    act(admin_client, "enable", schedule, confirmed="yes")
    schedule.refresh_from_db()
    assert (schedule.enabled, schedule.last_run_at) == (True, None)
    told = AuditEntry.objects.order_by("pk").values_list("action", "target", "reason", "before", "after")
    target = f"schedule:{schedule.pk}"
    assert list(told) == [
        ("schedule.disable", target, "stock-taking", {"enabled": True}, {"enabled": False}),
        ("schedule.enable", target, "", {"enabled": False}, {"enabled": True}),
    ]


def test_disabling_asks_first(admin_client, schedule):
    page = act(admin_client, "disable", schedule)

    assert "None of these runs until it is enabled again." in page.content.decode()
    schedule.refresh_from_db()
    assert schedule.enabled
    assert not AuditEntry.objects.exists()


def test_why_a_schedule_is_edited_is_written_down(admin_client, schedule):
    assert 'name="why"' in admin_client.get(change(schedule)).content.decode()

    admin_client.post(change(schedule), form_of(schedule, name="Counted", why=" nobody knew the name "))

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.reason) == ("schedule.change", "nobody knew the name")
    assert entry.after["name"] == "Counted"


@pytest.mark.parametrize("action", ["enable", "disable", "run"])
def test_whoever_may_only_look_changes_nothing(client, schedule, action):
    client.force_login(staff("view_periodictask"))

    act(client, action, schedule, request_id="6c1f7d0e-6f0c-4a1c-9a41-6d6c1b1f2f5e")

    schedule.refresh_from_db()
    assert schedule.enabled
    assert (Job.objects.count(), AuditEntry.objects.count()) == (0, 0)


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
    ran = AuditEntry.objects.earliest("pk")
    assert (ran.action, ran.target, ran.after["job"]) == ("schedule.run", f"schedule:{schedule.pk}", job.pk)
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
