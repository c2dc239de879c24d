"""The audit log: an entry for each deed, with it or not at all, and for good."""

from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from proj.jobs import audit
from proj.jobs.audit import Actor, Change
from proj.jobs.models import AuditEntry, Job
from proj.jobs.testing import drain, without_broker
from tests.factories import make_user
from tests.jobs.probes import add, refuse

pytestmark = pytest.mark.django_db

ANN = Actor("ann", 7, audit.ADMIN)


@pytest.fixture(autouse=True)
def _without_broker():
    with without_broker():
        yield


def dead(order_id=1):
    job = refuse.delay(order_id)
    drain()
    return job


def said() -> list[tuple]:
    return list(
        AuditEntry.objects.order_by("pk").values_list(
            "actor", "origin", "action", "target", "reason", "before", "after"
        )
    )


def test_an_entry_says_who_did_what_to_what_and_why():
    audit.record(
        ANN,
        "queue.pause",
        "queue:bulk",
        reason="a bad import",
        before={"paused": False},
        after={"paused": True},
    )

    assert said() == [
        ("ann", "admin", "queue.pause", "queue:bulk", "a bad import", {"paused": False}, {"paused": True})
    ]
    assert AuditEntry.objects.get().actor_id == 7


def test_whatever_a_row_held_is_written_down():
    moment = datetime(2026, 3, 1, tzinfo=UTC)

    audit.record(
        ANN,
        "a.b",
        "c:1",
        reason="\0",
        before={"at": moment, "amount": Decimal("1.5"), "odd": object, "nan": float("nan")},
    )

    [(*_, reason, before, after)] = said()
    assert (reason, after) == ("\N{REPLACEMENT CHARACTER}", None)
    assert before == {"at": "2026-03-01T00:00:00Z", "amount": "1.5", "odd": str(object), "nan": "NaN"}


@pytest.mark.django_db(transaction=True)
def test_an_entry_apart_from_its_deed_is_refused():
    with pytest.raises(
        audit.UnaccompaniedError, match=r"queue\.pause would be written down apart from being done"
    ):
        audit.record(ANN, "queue.pause", "queue:bulk")

    assert said() == []


def test_an_entry_goes_with_the_deed_that_is_rolled_back():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        audit.record(ANN, "queue.pause", "queue:bulk")
        raise ZeroDivisionError

    assert said() == []


CHANGES = {
    "update": lambda: AuditEntry.objects.update(actor="bob"),
    "delete": lambda: AuditEntry.objects.all().delete(),
    "save": lambda: AuditEntry.objects.get().save(),
}


@pytest.mark.parametrize("how", sorted(CHANGES))
def test_no_entry_is_ever_changed(how):
    audit.record(ANN, "queue.pause", "queue:bulk")

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        CHANGES[how]()

    assert said()[0][0] == "ann"


@pytest.mark.parametrize("how", sorted(CHANGES))
def test_without_the_trigger_it_could_be(how):
    audit.record(ANN, "queue.pause", "queue:bulk")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE jobs_auditentry DISABLE TRIGGER audit_append_only")

    CHANGES[how]()


def test_what_an_account_did_outlives_the_account(rf):
    user = make_user("carol", is_staff=True)
    request = rf.get("/")
    request.user = user
    audit.record(audit.by(request), "job.retry", "job:1")

    user.delete()

    assert said()[0][:2] == ("carol", "admin")


def test_many_things_at_once_have_an_entry_each():
    audit.record_each(ANN, "job.retry", [Change("job:1", {"x": 1}), Change("job:2")], reason="all")

    assert [(target, reason, before) for *_, target, reason, before, _ in said()] == [
        ("job:1", "all", {"x": 1}),
        ("job:2", "all", None),
    ]


# --- the command line and the API write it too ------------------------------------------------------------------------


def test_the_command_line_says_which_user_of_the_machine(monkeypatch):
    monkeypatch.setattr(audit.getpass, "getuser", lambda: "root")
    job = dead()

    call_command("jobs", "retry", job.id, "--reason", "fixed", stdout=StringIO())

    before = {
        "task": "jobprobes.refuse",
        "state": "dead",
        "attempt": 1,
        "error": "Permanent: order 1 is refused",
    }
    assert said() == [
        ("root", "command line", "job.retry", f"job:{job.id}", "fixed", before, {"state": "queued"})
    ]


def test_a_machine_whose_user_has_no_name_is_no_reason_to_refuse(monkeypatch):
    def nameless():
        raise KeyError

    monkeypatch.setattr(audit.getpass, "getuser", nameless)

    assert audit.by_command() == Actor("unknown", None, "command line")


def test_a_retry_with_other_arguments_says_both():
    job = dead(1)

    call_command("jobs", "retry", job.id, "--args", "[7]", stdout=StringIO())

    [(*_, before, after)] = said()
    assert (before["args"], after["args"]) == ([1], [7])


def test_cancelling_and_burying_say_what_each_job_was():
    waiting, other = add.delay(1), add.delay(2)

    call_command("jobs", "bury", waiting.id, "--reason", "wrong price", stdout=StringIO())
    call_command("jobs", "cancel", other.id, stdout=StringIO())

    assert [
        (action, target, reason, before["state"], after)
        for _, _, action, target, reason, before, after in said()
    ] == [
        ("job.bury", f"job:{waiting.id}", "wrong price", "queued", {"state": "dead"}),
        ("job.cancel", f"job:{other.id}", "", "queued", {"answer": "cancelled"}),
    ]


def test_the_api_says_whose_credentials_were_used(client, admin_user):
    job = dead()
    client.force_login(admin_user)

    assert client.post(f"/api/v1/jobs/{job.id}/retry").status_code == 202
    assert client.post(f"/api/v1/jobs/{job.id}/cancel").status_code == 202

    assert [(actor, origin, action) for actor, origin, action, *_ in said()] == [
        ("admin", "API", "job.retry"),
        ("admin", "API", "job.cancel"),
    ]


def test_what_was_not_done_is_not_written_down():
    job = add.delay(1)

    with pytest.raises(CommandError, match="no such job to do that to"):
        call_command("jobs", "retry", job.id, stdout=StringIO(), stderr=StringIO())

    assert said() == []
    assert Job.objects.get().state == "queued"
