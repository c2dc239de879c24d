from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.utils import timezone

from orders.payments.models import Incident, Provider
from proj.jobs.models import AuditEntry
from tests.factories import make_user
from tests.orders.payments.reconciling import seeds

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/payments/incident/"


@pytest.fixture
def staff(client):
    """Sign in somebody with these permissions and no others."""

    def staff(*permissions):
        user = make_user("boss", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client.force_login(user)
        return user

    return staff


@pytest.fixture
def resolver(staff):
    return staff("view_incident", "resolve_incident", "view_order", "view_paymentattempt")


def page(client, incident):
    return client.get(f"{LIST}{incident.pk}/change/").content.decode()


def act(client, action, *incidents, **fields):
    """Press the button an hour later."""
    selected = [incident.pk for incident in incidents]
    with time_machine.travel(timezone.now() + timedelta(hours=1), tick=True):
        return client.post(LIST, {"action": action, "_selected_action": selected, **fields}, follow=True)


def told(response):
    return [str(message) for message in response.context["messages"]]


def test_open_incidents_come_first(client, resolver):
    now = timezone.now()
    kinds = {"first": None, "second": now, "third": None, "fourth": now - timedelta(days=1)}
    for name, closed_at in kinds.items():
        Incident.objects.create(kind="stock_differs", fingerprint=name, summary=name, closed_at=closed_at)

    shown = client.get(LIST).context["cl"].result_list

    assert [incident.fingerprint for incident in shown] == ["third", "first", "second", "fourth"]
    only = client.get(LIST, {"state": "closed"}).context["cl"].result_list
    assert [incident.fingerprint for incident in only] == ["second", "fourth"]
    assert len(client.get(LIST, {"state": "open"}).context["cl"].result_list) == 2


def test_both_sides_are_shown_with_links_to_what_it_is_about(client, resolver, shop, run):
    seed = seeds.capture_unsettled(shop)
    run()
    incident = Incident.objects.get()
    attempt = incident.order.payment_attempts.get()

    shown = page(client, incident)

    assert "<h3>at the provider</h3>" in shown
    assert f'<th scope="row">payment</th><td>{seed.fingerprint}</td>' in shown
    assert "<h3>here</h3>" in shown
    assert '<th scope="row">state</th><td>unknown</td>' in shown
    assert f'href="/admin/orders/order/{incident.order_id}/change/"' in shown
    assert f'href="/admin/payments/paymentattempt/{attempt.pk}/change/"' in shown


def test_it_is_repaired_after_a_page_that_says_what_will_happen(client, resolver, shop, run):
    seeds.capture_unsettled(shop)
    run()
    incident = Incident.objects.get()

    asked = act(client, "repair", incident).content.decode()
    assert "Settle it: the order is paid, and goes on." in asked
    incident.refresh_from_db()
    assert incident.is_open
    assert incident.order.payment_attempts.get().state == "unknown"

    done = act(client, "repair", incident, confirmed="yes")

    incident.refresh_from_db()
    assert told(done) == [f"{incident}: Settled: order {incident.order_id} is paid."]
    assert (incident.closed_by, incident.is_open) == ("boss", False)
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.target) == ("boss", "incident.repair", f"incident:{incident.pk}")


def test_what_only_people_can_mend_has_no_such_button_and_stays_open(client, resolver, shop, run):
    seeds.stray_capture(shop)
    run()
    incident = Incident.objects.get()

    assert "Repair as suggested" not in page(client, incident)
    assert "Close with a reason" in page(client, incident)
    assert "Only people can mend this: it stays open." in act(client, "repair", incident).content.decode()
    [said] = told(act(client, "repair", incident, confirmed="yes"))
    assert "not repaired. Only people can mend this" in said
    incident.refresh_from_db()
    assert incident.is_open


def test_what_is_gone_meanwhile_is_closed_and_nothing_else_is_done(client, resolver, shop, run):
    seed = seeds.stock_differs(shop)
    run()
    seed.undo()
    incident = Incident.objects.get()

    assert "Both sides agree by now" in act(client, "repair", incident).content.decode()
    act(client, "repair", incident, confirmed="yes")

    incident.refresh_from_db()
    assert incident.outcome == "Gone: both sides agree by now."


def test_closing_needs_a_reason_and_the_same_difference_opens_no_other(client, resolver, shop, run):
    seed = seeds.stray_capture(shop)
    run()
    incident = Incident.objects.get()

    for fields in ({}, {"confirmed": "yes", "reason": "  "}):
        assert 'name="reason"' in act(client, "close", incident, **fields).content.decode()
        incident.refresh_from_db()
        assert incident.is_open
    assert told(act(client, "close", incident, confirmed="yes", reason="A test of the bank.")) == [
        "1 closed."
    ]

    incident.refresh_from_db()
    assert (incident.closed_by, incident.outcome) == ("boss", "A test of the bank.")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.reason) == ("incident.close", "A test of the bank.")
    report = run()
    assert (report.accepted, report.differences, report.open) == (1, [], 0)

    shop.rewrite("intents", seed.fingerprint, amount=1100, amount_received=1100)
    assert run().open == 1  # it is another difference now


@pytest.mark.parametrize("action", ["close", "repair"])
@pytest.mark.parametrize("permissions", [("view_incident",), ("view_incident", "change_incident")])
def test_whoever_may_not_resolve_incidents_does_nothing(client, staff, shop, run, action, permissions):
    staff(*permissions)
    seeds.stock_differs(shop)
    run()
    incident = Incident.objects.get()

    shown = page(client, incident)
    assert "Repair as suggested" not in shown
    assert "Close with a reason" not in shown
    act(client, action, incident, confirmed="yes", reason="Because.")

    incident.refresh_from_db()
    assert incident.is_open
    assert AuditEntry.objects.count() == 0


def test_a_provider_that_cannot_be_asked_is_told(client, resolver, shop, run):
    seeds.capture_unsettled(shop)
    run()
    incident = Incident.objects.get()
    Provider.objects.update(paused=True)

    assert (
        "It could not be looked into: Payments are paused" in act(client, "repair", incident).content.decode()
    )
    [said] = told(act(client, "repair", incident, confirmed="yes"))

    assert "the provider cannot be asked now. Payments are paused" in said
    incident.refresh_from_db()
    assert incident.is_open


def test_a_closed_incident_has_no_buttons_and_is_not_touched(client, resolver):
    incident = Incident.objects.create(
        kind="stock_differs", fingerprint="product:1", summary="x", repair="Count.", closed_at=timezone.now()
    )

    assert "Close with a reason" not in page(client, incident)
    assert told(act(client, "repair", incident, confirmed="yes")) == ["None of these is open."]


def test_too_many_at_once_are_for_the_command_line(client, resolver):
    many = [
        Incident.objects.create(kind="stock_differs", fingerprint=f"product:{n}", summary="x")
        for n in range(21)
    ]

    [said] = told(act(client, "close", *many, confirmed="yes", reason="All."))

    assert said == "More than 20 at once are for the command line: manage.py reconcile --repair."
    assert Incident.objects.filter(closed_at=None).count() == 21


def test_nobody_edits_adds_or_deletes_an_incident(client, staff):
    staff("view_incident", "change_incident", "add_incident", "delete_incident")
    incident = Incident.objects.create(kind="stock_differs", fingerprint="product:1", summary="x")

    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(f"{LIST}{incident.pk}/change/", {"summary": "y"}).status_code == 403
    assert client.post(f"{LIST}{incident.pk}/delete/", {"post": "yes"}).status_code == 403
    incident.refresh_from_db()
    assert incident.summary == "x"
