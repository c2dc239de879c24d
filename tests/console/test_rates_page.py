"""How often tasks may begin, set by operators."""

from contextlib import suppress

import pytest

from proj.jobs import ledger
from proj.jobs.models import AuditEntry, Job, TaskRate
from proj.jobs.testing import without_broker
from tests.console.people import member
from tests.jobs.probes import add

pytestmark = pytest.mark.django_db

LIST = "/admin/jobs/taskrate/"
FORM = {"task": "jobprobes.add", "runs": "1", "per": "60", "reason": "the provider asked"}


@pytest.fixture
def booked(client):
    """A job that waits for its turn, and an operator."""
    client.force_login(member("operators"))
    client.post(f"{LIST}add/", FORM)
    with without_broker():
        first, job = add.delay(1), add.delay(2)
    for each in (first, job):
        with suppress(ledger.NotOwed):
            ledger.claim(each.id, task="jobprobes.add", retries=0, worker="w", seconds=1)
    assert Job.objects.get(pk=job.id).available_at > ledger.now()
    return job


def test_a_rate_is_set_with_a_reason_and_written_down(client, booked):
    rate = TaskRate.objects.get()
    assert str(rate) == "jobprobes.add: at most 1 a minute"
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target) == ("rate.add", "rate:jobprobes.add")
    assert (entry.reason, entry.after["reason"]) == ("the provider asked", "the provider asked")


def test_another_rate_holds_from_now_on(client, booked):
    client.post(f"{LIST}jobprobes.add/change/", FORM | {"runs": "100"})

    assert Job.objects.get(pk=booked.id).available_at <= ledger.now()
    assert TaskRate.objects.get().free_at <= ledger.now()
    assert ledger.claim(booked.id, task="jobprobes.add", retries=0, worker="w", seconds=1).attempt == 1
    entry = AuditEntry.objects.latest("pk")
    assert (entry.before, entry.after) == ({"runs": 1}, {"runs": 100})


@pytest.mark.parametrize("how", ["delete", "action"])
def test_what_it_has_booked_is_free_when_it_is_taken_away(client, booked, how):
    if how == "delete":
        client.post(f"{LIST}jobprobes.add/delete/", {"post": "yes"})
    else:
        client.post(LIST, {"action": "delete_selected", "_selected_action": ["jobprobes.add"], "post": "yes"})

    assert not TaskRate.objects.exists()
    assert Job.objects.get(pk=booked.id).available_at <= ledger.now()
    assert AuditEntry.objects.latest("pk").action == "rate.delete"


@pytest.mark.parametrize("wrong", [{"runs": "0"}, {"task": "no.such"}, {"reason": ""}, {"per": "7"}])
def test_what_makes_no_sense_is_refused(client, wrong):
    client.force_login(member("operators"))

    assert client.post(f"{LIST}add/", FORM | wrong).status_code == 200
    assert not TaskRate.objects.exists()


def test_who_may_only_look_sets_none(client):
    client.force_login(member("operators (view)"))

    assert client.get(LIST).status_code == 200
    assert client.post(f"{LIST}add/", FORM).status_code == 403
    assert not TaskRate.objects.exists()
