"""Each kind of difference: found, once, repaired when asked, gone; not while it is on its way."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from orders.payments.models import Incident
from orders.payments.reconciling import NotRepaired, repair
from orders.payments.reconciling.repairing import GONE
from proj.jobs.audit import Actor
from proj.jobs.testing import drain
from tests.orders.payments.reconciling.seeds import SEEDS

pytestmark = pytest.mark.django_db(transaction=True)

BOSS = Actor("boss", None, "admin")
#: These compare what changes in one transaction, or are old by nature: there is nothing to wait for.
AT_ONCE = {"stock_differs", "unknown_too_long", "refund_unknown_too_long", "event_unplaced", "refund_failed"}


def later(minutes=60):
    return time_machine.travel(timezone.now() + timedelta(minutes=minutes))


@pytest.fixture(params=sorted(SEEDS))
def seed(request, shop):
    shop.paid()  # beside it, an order with which nothing is wrong
    return SEEDS[request.param](shop)


def test_it_is_found_once_however_often_it_is_looked_for(seed, run, incidents):
    first = run()
    second = run()

    assert [(each.kind, each.fingerprint) for each in first.differences] == [(seed.kind, seed.fingerprint)]
    assert incidents() == [(seed.kind, seed.fingerprint)]
    assert (second.open, second.gone) == (1, 0)
    assert Incident.objects.count() == 1
    assert bool(Incident.objects.get().repair) is seed.repairable


def test_the_sums_of_each_ledger_differ_by_it_and_by_nothing_else(seed, run):
    figures = run().totals.currencies["GBP"]

    assert figures.provider.kept - figures.here.kept == seed.provider_has_more


def test_it_is_repaired_when_that_is_asked_for_and_then_gone(seed, run, incidents):
    run()
    incident = Incident.objects.get()
    if not seed.repairable:
        with later(), pytest.raises(NotRepaired, match="Only people can mend this"):
            repair(incident, by=BOSS)
        assert incidents() == [(seed.kind, seed.fingerprint)]
        return

    with later():
        outcome = repair(incident, by=BOSS)
    drain()

    incident.refresh_from_db()
    assert (incident.closed_by, incident.outcome) == ("boss", outcome)
    after = run(minutes_later=120)
    figures = after.totals.currencies["GBP"]
    assert after.differences == []
    assert (after.open, after.gone) == (0, 0)
    assert figures.provider.kept == figures.here.kept == figures.books.kept


def test_it_is_no_difference_while_it_may_be_on_its_way(request, seed, run):
    name = request.node.callspec.params["seed"]

    report = run(minutes_later=1)

    assert [each.kind for each in report.differences] == ([seed.kind] if name in AT_ONCE else [])


def test_it_is_closed_when_it_has_vanished(seed, run, incidents):
    run()

    seed.undo()
    drain()
    report = run()

    assert report.gone == 1
    assert incidents() == []
    assert Incident.objects.get().outcome == GONE
    assert Incident.objects.get().closed_by == "reconciliation"


def test_a_repair_that_comes_too_late_finds_nothing_to_do(seed, run, incidents):
    run()
    seed.undo()
    drain()

    with later():
        assert repair(Incident.objects.get(), by=BOSS) == GONE

    assert incidents() == []


def test_a_dry_run_finds_it_and_writes_nothing(seed, run):
    before = Incident.objects.count()

    report = run(dry_run=True)

    assert [(each.kind, each.fingerprint) for each in report.differences] == [(seed.kind, seed.fingerprint)]
    assert Incident.objects.count() == before
