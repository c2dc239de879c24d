import io
import json
from datetime import timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.utils import timezone

from orders.payments.models import Incident, IncidentKind, PaymentAttempt, Provider
from orders.payments.reconciling import streams
from proj.jobs.audit import COMMAND_LINE
from proj.jobs.models import AuditEntry, Job
from proj.jobs.testing import drain
from tests.orders.payments.reconciling import seeds

pytestmark = pytest.mark.django_db(transaction=True)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def reconcile(*arguments, stderr=None):
    """Run the command an hour later; returns its exit code and what it wrote."""
    out, code = io.StringIO(), 0
    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        try:
            call_command("reconcile", *arguments, stdout=out, stderr=stderr or io.StringIO())
        except SystemExit as end:
            code = end.code
    return code, out.getvalue()


@pytest.fixture
def no_pauses(monkeypatch):
    monkeypatch.setattr(streams, "PAUSE", 0)


def test_everything_agrees(shop):
    shop.paid()
    shop.paid()

    code, said = reconcile()

    assert code == 0
    assert "Compared 2 payments and 0 refunds" in said
    assert [line.split() for line in said.splitlines() if line.startswith("GBP")] == [
        ["GBP", "provider", "£20.00", "£0.00", "£20.00", "£0.00"],
        ["GBP", "payments", "£20.00", "£0.00", "£20.00", "£0.00"],
        ["GBP", "books", "£20.00", "£0.00", "£20.00", "£0.00"],
    ]
    assert said.endswith("Nothing is open: everything agrees.\n")


def test_a_difference_is_named_with_its_repair_and_opens_an_incident(shop):
    seed = seeds.capture_unsettled(shop)

    code, said = reconcile()

    assert code == 1
    assert "captured at the provider, not settled here (1)" in said
    assert f"£10.00 was captured as {seed.fingerprint}" in said
    assert "-> Settle it: the order is paid, and goes on." in said
    assert said.endswith("1 open.\n")
    assert Incident.objects.get().kind == IncidentKind.CAPTURE_UNSETTLED


def test_repairs_are_made_after_yes_and_are_in_the_audit_log(shop):
    seeds.capture_unsettled(shop)
    seeds.stock_differs(shop)
    seeds.stray_capture(shop)

    code, said = reconcile("--repair", "--yes")

    assert code == 1  # a stray capture is for people
    assert said.count("repaired: ") == 2
    assert said.endswith("\n1 open.\n")
    assert "NOT REPAIRED" not in said
    assert sorted(Incident.objects.exclude(closed_at=None).values_list("kind", flat=True)) == [
        "capture_unsettled",
        "stock_differs",
    ]
    entries = AuditEntry.objects.values_list("action", "origin")
    assert list(entries) == [("incident.repair", COMMAND_LINE)] * 2
    drain()
    assert PaymentAttempt.objects.filter(state="succeeded").count() == 1


def test_everything_repaired_is_exit_code_0(shop):
    seeds.stock_differs(shop)

    assert reconcile("--repair", "--yes")[0] == 0
    assert reconcile()[0] == 0


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("yes\n", 0), ("n\n", 1), ("\n", 1), ("", 1)])
def test_somebody_at_a_terminal_is_asked_before_repairs(shop, monkeypatch, answer, left):
    seeds.stock_differs(shop)
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    told = io.StringIO()

    code, _ = reconcile("--repair", stderr=told)

    assert "Repair 1 stock_differs as suggested? [y/N]" in told.getvalue()
    assert code == left
    assert Incident.objects.filter(closed_at=None).count() == left


def test_where_nobody_can_be_asked_nothing_is_repaired(shop, monkeypatch):
    seeds.stock_differs(shop)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    with pytest.raises(
        CommandError, match="To repair 1 stock_differs without being asked, say --yes"
    ) as refusal:
        reconcile("--repair")

    assert refusal.value.returncode == 2
    assert Incident.objects.filter(closed_at=None).count() == 1


def test_a_dry_run_writes_and_repairs_nothing(shop):
    seeds.capture_unsettled(shop)
    before = Job.objects.count()

    code, said = reconcile("--dry-run", "--repair", "--yes")

    assert code == 1
    assert "captured at the provider, not settled here (1)" in said
    assert (Incident.objects.count(), Job.objects.count()) == (0, before)
    assert PaymentAttempt.objects.get().state == "unknown"


def test_the_report_as_json(shop):
    seed = seeds.captured_twice(shop)

    code, said = reconcile("--json", "--repair", "--yes")

    report = json.loads(said)
    assert code == 0
    assert report["open"] == 0
    assert report["checked"]["payments"] == 2
    assert report["checked"]["currencies"]["GBP"]["provider"] == {"captured": 2000, "returned": 0}
    assert report["checked"]["currencies"]["GBP"]["here"] == {"captured": 1000, "returned": 0}
    [difference] = report["differences"]
    assert (difference["kind"], difference["fingerprint"]) == ("captured_twice", seed.fingerprint)
    [repair] = report["repairs"]
    assert repair["done"] is True
    assert repair["outcome"].startswith(f"£10.00 of {seed.fingerprint} went back as re_")


def test_an_incident_that_is_open_from_before_is_exit_code_1(shop):
    shop.paid()
    Incident.objects.create(
        kind=IncidentKind.MISCONFIGURED, fingerprint="stripe", summary="Refused.", repair="Mend it."
    )

    code, said = reconcile("--repair", "--yes", "--since", "1h")

    assert code == 1
    assert said.endswith("1 open.\n")


def test_a_provider_that_is_down_is_exit_code_2_and_a_sentence(shop, settings, no_pauses):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"

    with pytest.raises(CommandError, match=r"^The payment provider cannot be asked: ") as refusal:
        reconcile()

    assert refusal.value.returncode == 2
    assert Incident.objects.count() == 0


def test_a_provider_that_staff_have_paused_is_exit_code_2_and_a_sentence(shop):
    Provider.objects.update(paused=True)

    with pytest.raises(
        CommandError, match="cannot be asked now: Payments are paused for the moment"
    ) as refusal:
        reconcile()

    assert refusal.value.returncode == 2


def test_a_provider_that_refuses_our_key_is_exit_code_2_and_a_sentence(shop, settings):
    settings.STRIPE_API_KEY = "sk_test_wrong"

    with pytest.raises(CommandError, match="cannot be asked: Invalid API Key") as refusal:
        reconcile()

    assert refusal.value.returncode == 2


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", "3w", "", "99999999d"])
def test_a_since_that_is_none_is_refused(since, db):
    with pytest.raises(CommandError, match="argument --since: invalid moment value"):
        call_command("reconcile", "--since", since)


def test_a_since_that_is_too_late_is_refused(db):
    with pytest.raises(CommandError, match="--since must be some minutes ago") as refusal:
        call_command("reconcile", "--since", "1m")

    assert refusal.value.returncode == 2


def test_only_what_is_younger_than_since_is_compared(shop):
    shop.paid()

    code, said = reconcile("--since", "30m")

    assert code == 0
    assert "Compared 0 payments" in said


def test_a_terminal_shows_how_far_it_has_come(shop):
    shop.paid()
    terminal = Terminal()

    reconcile(stderr=terminal)

    assert "1 payments compared" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\033[K")


def test_what_nobody_looks_at_shows_no_progress(shop):
    shop.paid()
    told = io.StringIO()

    reconcile(stderr=told)

    assert told.getvalue() == ""
