from functools import partial

import pytest

from orders.payments.incidents import close_incident, open_incident
from orders.payments.models import Incident, IncidentKind
from proj.console import incidents
from tests.factories import make_order

pytestmark = pytest.mark.django_db(transaction=True)

KIND = IncidentKind.AMOUNT_DIFFERS


def test_a_difference_that_is_found_again_is_the_same_incident_brought_up_to_date(caplog):
    order = make_order()
    first = open_incident(
        KIND, "pi_1", summary="5 here, 6 there.", detail={"ours": 5}, order=order, repair="Mend."
    )
    again = open_incident(KIND, "pi_1", summary="5 here, 7 there.", detail={"ours": 5}, order=order)
    incident = Incident.objects.get()
    assert first == again == incident
    assert (incident.summary, incident.repair, incident.order) == ("5 here, 7 there.", "", order)
    assert incident.seen_at > incident.opened_at
    assert [r.levelname for r in caplog.records if "pi_1" in r.getMessage()] == ["WARNING"]


def test_a_difference_that_is_found_ten_times_at_once_is_one_incident(at_once):
    outcomes = at_once([partial(open_incident, KIND, "pi_1", summary="Off.")] * 10)
    assert set(outcomes) == {Incident.objects.get()}


def test_other_differences_are_other_incidents():
    open_incident(KIND, "pi_1", summary="Off.")
    open_incident(KIND, "pi_2", summary="Off.")
    open_incident(IncidentKind.CAPTURED_TWICE, "pi_1", summary="Off.")
    assert Incident.objects.count() == 3


def test_an_incident_is_closed_once_and_the_same_difference_opens_another():
    incident = open_incident(KIND, "pi_1", summary="Off.")
    assert close_incident(incident, actor="ann", outcome="Mended.") is True
    assert close_incident(Incident.objects.get(), actor="bob", outcome="Gone.") is False
    incident.refresh_from_db()
    assert (incident.is_open, incident.closed_by, incident.outcome) == (False, "ann", "Mended.")
    assert open_incident(KIND, "pi_1", summary="Off again.") != incident
    assert Incident.objects.filter(closed_at=None).count() == 1


def test_long_words_are_cut_to_what_fits():
    incident = open_incident(KIND, "x" * 300, summary="y" * 600, repair="z" * 600)
    incident.refresh_from_db()
    assert (len(incident.fingerprint), len(incident.summary), len(incident.repair)) == (255, 500, 500)


def test_the_newest_open_ones_are_on_the_operators_dashboard():
    first = open_incident(IncidentKind.AMOUNT_DIFFERS, "order:1", summary="5.00 there, 6.00 here.")
    open_incident(IncidentKind.CAPTURED_TWICE, "order:2", summary="Twice.")
    third = open_incident(IncidentKind.NOT_REFUNDED, "order:3", summary="Kept.")
    close_incident(first, actor="ann", outcome="gone")

    [payments] = [source for source in incidents.sources() if source.name == "payments"]

    assert payments.permission == "payments.view_incident"
    assert [line.text for line in payments.look(5)] == [
        "ended unpaid, but the money was kept: Kept.",
        "captured more than once for one order: Twice.",
    ]
    assert payments.look(1)[0].url == f"/admin/payments/incident/{third.pk}/change/"
