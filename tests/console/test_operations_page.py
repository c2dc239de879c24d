"""The page of an operation: how far it has come, and the button that stops it."""

import pytest

from proj.jobs.models import AuditEntry, Operation
from tests.console.people import member

pytestmark = pytest.mark.django_db


@pytest.fixture
def operation():
    return Operation.objects.create(
        verb="retry",
        selection={"state": "dead"},
        command="manage.py jobs retry --state dead --reason '<x>'",
        reason="mended",
        per_second=5,
        actor="ann",
        expected=1200,
        looked_at=300,
        counts={"retried": 300},
    )


def address(operation, what="change"):
    return f"/admin/jobs/operation/{operation.pk}/{what}/"


def test_it_says_how_far_it_has_come_and_asks_again(client, operation):
    client.force_login(member("operators"))

    page = client.get(address(operation)).content.decode()

    assert "300 of 1,200" in page
    assert "300 retried" in page
    assert "--reason &#x27;&lt;x&gt;&#x27;" in page
    assert 'hx-trigger="every 2s, shown"' in page


def test_an_operator_stops_it(client, operation):
    user = member("operators")
    client.force_login(user)

    page = client.post(address(operation, "stop"), {"reason": "too many"}, follow=True)

    operation.refresh_from_db()
    assert (operation.state, operation.outcome) == ("stopped", f"Stopped by {user.username} after 300 jobs.")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.reason) == ("operation.stop", "too many")
    assert "hx-trigger" not in page.content.decode()
    assert "Stop it" not in page.content.decode()

    again = client.post(address(operation, "stop"), follow=True)
    assert [str(message) for message in again.context["messages"]] == ["It had ended already."]


def test_who_may_only_look_does_not_stop_it(client, operation):
    client.force_login(member("operators (view)"))

    assert "Stop it" not in client.get(address(operation)).content.decode()
    assert client.post(address(operation, "stop")).status_code == 403
    operation.refresh_from_db()
    assert operation.state == "running"


def test_it_is_stopped_by_a_post_and_not_by_a_link(client, operation):
    client.force_login(member("operators"))

    assert client.get(address(operation, "stop")).status_code == 405
    operation.refresh_from_db()
    assert operation.state == "running"


def test_nobody_writes_an_operation_by_hand(client, admin_user, operation):
    client.force_login(admin_user)

    assert client.get("/admin/jobs/operation/add/").status_code == 403
    assert client.post(address(operation), {"verb": "cancel"}).status_code == 403
    assert client.post(address(operation, "delete"), {"post": "yes"}).status_code == 403
    assert client.get("/admin/jobs/operation/?state=running").context["cl"].result_count == 1
