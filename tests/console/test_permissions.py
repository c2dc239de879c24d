"""What each of the operators' pages lets whom do: asked in the handler, whatever the page has shown."""

from io import StringIO
from uuid import uuid4

import pytest
from django.contrib.admin import AdminSite, site
from django.contrib.auth.models import Group
from django.contrib.messages.storage.base import BaseStorage
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django_celery_beat.admin import PeriodicTaskAdmin
from django_celery_beat.models import PeriodicTask

from proj.console.groups import GROUPS
from proj.jobs import bell
from proj.jobs.models import AuditEntry, Job
from tests.console.people import member, staff
from tests.jobs.schedule_pages import LIST, daily, schedule

__all__ = ["daily", "schedule"]  # fixtures are found by their names here

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _without_broker(monkeypatch):
    monkeypatch.setattr(bell, "is_silent", lambda: True)


@pytest.fixture
def asked(rf):
    """Return a function that makes the request of somebody who presses a button of a list."""

    def asked(user, action, schedule):
        request = rf.post(LIST, {"action": action, "_selected_action": [schedule.pk], "index": 0})
        request.user, request._messages = user, BaseStorage(request)
        request._dont_enforce_csrf_checks = True
        return request

    return asked


@pytest.mark.parametrize("action", ["run_tasks", "disable_tasks"])
def test_the_stock_admin_lets_staff_who_may_only_look_do_it(asked, schedule, action):
    """Why there is an admin of our own: the buttons of django-celery-beat ask for no permission."""
    stock = PeriodicTaskAdmin(PeriodicTask, AdminSite())

    stock.changelist_view(asked(staff("view_periodictask"), action, schedule))

    schedule.refresh_from_db()
    assert Job.objects.count() == (action == "run_tasks")
    assert schedule.enabled == (action != "disable_tasks")


@pytest.mark.parametrize("action", ["run_tasks", "disable_tasks", "run", "disable"])
def test_ours_does_not(client, schedule, action):
    client.force_login(staff("view_periodictask"))

    client.post(LIST, {"action": action, "_selected_action": [schedule.pk], "request_id": uuid4()})

    schedule.refresh_from_db()
    assert (Job.objects.count(), AuditEntry.objects.count(), schedule.enabled) == (0, 0, True)


@pytest.mark.parametrize("action", ["run", "enable", "disable"])
def test_the_handler_itself_asks(asked, schedule, action):
    request = asked(staff("view_periodictask"), action, schedule)

    with pytest.raises(PermissionDenied):
        getattr(site.get_model_admin(PeriodicTask), action)(request, PeriodicTask.objects.all())

    schedule.refresh_from_db()
    assert (Job.objects.count(), schedule.enabled) == (0, True)


# --- the groups -------------------------------------------------------------------------------------------------------


def test_the_groups_are_made_once_and_then_left_to_the_admins():
    out = StringIO()
    call_command("ensure_groups", stdout=out)
    Group.objects.get(name="operators").permissions.clear()
    call_command("ensure_groups", stdout=out)

    assert out.getvalue().splitlines() == [
        *(f"{name}: created" for name in GROUPS),
        *(f"{name}: is there" for name in GROUPS),
    ]
    assert Group.objects.get(name="operators").permissions.count() == 0

    call_command("ensure_groups", "--reset", stdout=out)
    assert Group.objects.get(name="operators").permissions.count() == len(GROUPS["operators"])


def test_who_views_may_change_nothing():
    user = member("operators (view)")

    assert {permission.split(".")[1].split("_")[0] for permission in user.get_all_permissions()} == {"view"}


def test_who_operates_may_do_all_that_operators_do():
    user = member("operators")

    assert user.has_perms(
        ["jobs.operate_job", "jobs.pause_queue", "jobs.run_schedule", "jobs.view_auditentry"]
    )
    assert not user.has_perm("auth.change_user")


def test_the_shop_staff_export_orders_process_avatars_again_and_cancel_reports():
    allowed = ["orders.view_order", "reports.add_report", "reports.change_report", "media.change_avatar"]

    assert member("shop staff").has_perms(allowed)
    assert not any(member("shop staff (view)").has_perm(name) for name in allowed[1:])


# --- the audit log and the results ------------------------------------------------------------------------------------


def test_the_audit_log_is_read_and_nothing_else(client, admin_user):
    client.force_login(admin_user)
    entry = AuditEntry.objects.create(
        actor="ann", origin="admin", action="queue.pause", target="queue:bulk", after={"x": "<i>"}
    )

    page = client.get(f"/admin/jobs/auditentry/{entry.pk}/change/").content.decode()

    assert "&lt;i&gt;" in page
    assert client.post(f"/admin/jobs/auditentry/{entry.pk}/change/", {"actor": "bob"}).status_code == 403
    assert client.post(f"/admin/jobs/auditentry/{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get("/admin/jobs/auditentry/add/").status_code == 403


def test_the_audit_log_takes_a_permission(client):
    client.force_login(staff("view_job"))

    assert client.get("/admin/jobs/auditentry/").status_code == 403


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"a", "b"}),
        ("?q=ann", {"a"}),
        ("?q=queue:bulk", {"a"}),
        ("?q=job.retry", {"b"}),
        ("?kind=queue", {"a"}),
        ("?target=job:1", {"b"}),
        ("?q=nobody", set()),
    ],
)
def test_the_audit_log_is_narrowed_by_who_what_and_on_what(client, admin_user, query, found):
    client.force_login(admin_user)
    AuditEntry.objects.create(
        actor="ann", origin="admin", action="queue.pause", target="queue:bulk", reason="a"
    )
    AuditEntry.objects.create(actor="bob", origin="API", action="job.retry", target="job:1", reason="b")

    shown = client.get(f"/admin/jobs/auditentry/{query}").context["cl"].result_list

    assert {entry.reason for entry in shown} == found


def test_the_kinds_to_choose_from_are_those_that_anybody_has_written_down(client, admin_user):
    client.force_login(admin_user)
    for action in ("webhook.replay", "order.cancel", "order.refund", "queue.pause"):
        AuditEntry.objects.create(actor="ann", origin="admin", action=action, target="x:1")

    changes = client.get("/admin/jobs/auditentry/").context["cl"]

    [kinds] = changes.filter_specs
    assert [name for name, _ in kinds.lookup_choices] == ["order", "queue", "webhook"]


def test_nobody_deletes_a_result(client, admin_user):
    """A SUCCESS that is gone could be enqueued again under its id."""
    client.force_login(admin_user)

    assert client.get("/admin/django_celery_results/taskresult/").status_code == 200
    assert "delete_selected" not in client.get("/admin/django_celery_results/taskresult/").content.decode()
    assert client.get("/admin/django_celery_results/taskresult/add/").status_code == 403
