from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from orders.models import StockItem
from orders.payments.gateway import RefundReceipt, RefundStatus, Unknown
from orders.payments.models import Incident, IncidentKind, PaymentAttempt, Refund
from orders.payments.reconciling import NotRepaired, repair, repair_all, repairable
from orders.payments.settling_refunds import settle_refund
from orders.states import Status
from proj.jobs.audit import Actor
from proj.jobs.models import Job
from proj.jobs.testing import drain, perform
from tests.orders.payments.reconciling import seeds

pytestmark = pytest.mark.django_db(transaction=True)

BOSS = Actor("boss", None, "admin")


def later():
    return time_machine.travel(timezone.now() + timedelta(hours=1))


def test_a_difference_of_each_kind_at_once_and_what_can_be_is_repaired(shop, run):
    # Without the one whose seed gives all of the provider's charges their money back.
    planted = [seeds.SEEDS[name](shop) for name in sorted(seeds.SEEDS) if name != "refund_missing"]

    found = run()
    with later():
        results = list(repair_all(repairable(), by=BOSS))
    drain()
    after = run(minutes_later=120)

    expected = sorted((seed.kind, seed.fingerprint) for seed in planted)
    assert sorted(each.identity for each in found.differences) == expected
    figures = found.totals.currencies["GBP"]
    assert figures.provider.kept - figures.here.kept == sum(seed.provider_has_more for seed in planted)
    assert [each.outcome for each in results if not each.done] == []
    left = sorted((seed.kind, seed.fingerprint) for seed in planted if not seed.repairable)
    assert sorted(each.identity for each in after.differences) == left


def test_the_nightly_task_finds_and_repairs_nothing(shop):
    seeds.stock_differs(shop)

    with later():
        outcome = perform("payments.reconcile")

    assert outcome == {"differences": 1, "open": 1}
    assert Incident.objects.get().kind == IncidentKind.STOCK_DIFFERS
    [item] = StockItem.objects.all()
    assert (item.on_hand, item.reserved) == (10, 7)


def test_an_order_that_is_owed_a_job_is_on_its_way(shop, run):
    attempt, _ = shop.unanswered()
    job = Job.objects.create(
        id="owed",
        task="orders.charge_order",
        queue="io",
        priority=5,
        message={},
        subject=f"order:{attempt.order_id}",
    )

    on_its_way = run()
    Job.objects.filter(pk=job.pk).update(state="dead")
    given_up = run()

    assert (on_its_way.differences, on_its_way.totals.in_flight) == ([], 1)
    assert [each.kind for each in given_up.differences] == [IncidentKind.CAPTURE_UNSETTLED]


def test_a_payment_that_is_not_of_this_shop_is_counted_and_no_difference(shop, run):
    shop.charge(None, key="terminal")
    shop.paid()

    report = run()

    assert report.differences == []
    assert (report.totals.payments, report.totals.foreign) == (1, 1)
    assert report.totals.currencies["GBP"].provider.captured == 1000


def test_a_second_payment_stays_where_the_first_was_given_back(shop, run):
    """Then nobody knows which of the two the customer is to keep."""
    order = shop.paid()
    shop.charge(order, key="second")
    run()
    shop.give_back(seeds.reference_of(order), 1000, key="by hand")

    with later(), pytest.raises(NotRepaired, match="look at both first"):
        repair(Incident.objects.get(kind=IncidentKind.CAPTURED_TWICE), by=BOSS)


def test_a_refund_of_the_provider_is_not_adopted_while_one_of_ours_needs_the_money(shop, run):
    order = shop.paid()
    shop.give_back(seeds.reference_of(order), 400, key="dashboard")
    seeds.requested(order, 1000)
    run()
    incident = Incident.objects.get()

    with later(), pytest.raises(NotRepaired, match=r"Of its payment £0\.00 is left"):
        repair(incident, by=BOSS)

    assert Refund.objects.count() == 1
    incident.refresh_from_db()
    assert incident.is_open


def test_an_adopted_refund_is_booked_and_ends_the_order_when_it_was_all(shop, run):
    order = shop.paid()
    reference = shop.give_back(seeds.reference_of(order), 1000, key="dashboard")
    run()

    with later():
        repair(Incident.objects.get(), by=BOSS)

    order.refresh_from_db()
    refund = Refund.objects.get()
    assert order.status == Status.REFUNDED
    assert (refund.provider_ref, refund.amount, refund.requested_by) == (reference, 1000, "boss")
    assert order.journal_entries.filter(kind="refund", provider_ref=reference).count() == 1
    assert PaymentAttempt.objects.get().refunded == 1000


def test_a_refund_that_came_back_is_right_in_the_books(shop, run):
    refund = seeds.refunded(shop, 400)
    shop.rewrite("refunds", refund.provider_ref, status="failed", failure_reason="lost_or_stolen_card")
    receipt = RefundReceipt(
        refund.provider_ref, refund.attempt.provider_ref, RefundStatus.FAILED, 400, "GBP", detail="Came back."
    )
    settle_refund(refund.pk, receipt, via="webhook")

    report = run()

    assert [each.kind for each in report.differences] == [IncidentKind.REFUND_FAILED]
    figures = report.totals.currencies["GBP"]
    assert figures.provider.kept == figures.here.kept == figures.books.kept == 1000


def test_more_reserved_than_there_is_on_hand_is_for_people(shop, run):
    order = shop.reserved()
    StockItem.objects.filter(product__order_lines__order=order).update(on_hand=2, reserved=0)
    run()
    incident = Incident.objects.get()

    assert incident.repair == ""
    with pytest.raises(NotRepaired, match="Only people"):
        repair(incident, by=BOSS)


def test_two_people_who_repair_the_same_at_once_repair_it_once(shop, run, at_once):
    order = shop.paid()
    second = shop.charge(order, key="second").reference
    run()
    incident = Incident.objects.get()

    outcomes = at_once([lambda: repair(Incident.objects.get(pk=incident.pk), by=BOSS) for _ in range(4)])

    # Unknown: the provider is busy with the same key (409), and says so to the slower one.
    assert {type(outcome) for outcome in outcomes} <= {str, NotRepaired, Unknown}
    assert shop.provider.read_books("SELECT amount FROM refunds WHERE payment_intent = ?", second) == [
        (1000,)
    ]
    incident.refresh_from_db()
    assert not incident.is_open


def test_two_people_who_refund_the_same_order_at_once_refund_it_once(shop, run, at_once):
    seeds.not_refunded(shop)
    run()
    incident = Incident.objects.get()

    at_once([lambda: repair(Incident.objects.get(pk=incident.pk), by=BOSS) for _ in range(4)])

    assert [refund.amount for refund in Refund.objects.all()] == [1000]


def test_an_incident_about_our_requests_ends_with_the_next_payment(shop, run):
    Incident.objects.create(
        kind=IncidentKind.MISCONFIGURED, fingerprint="stripe", summary="Refused.", repair="Mend it."
    )
    assert run(minutes_later=1).open == 1
    Incident.objects.update(seen_at=timezone.now() - timedelta(hours=1))

    shop.paid()

    assert run(minutes_later=1).gone == 1
