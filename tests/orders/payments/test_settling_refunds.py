"""The one door for refunds: what is learnt in several ways, taken back later, or does not add up."""

from functools import partial

import pytest

from orders import services
from orders.payments.charging import charge_order
from orders.payments.gateway import RefundStatus
from orders.payments.models import Incident, JournalEntry
from orders.payments.refunding import send_refund, settle_refund
from orders.states import Status
from tests.orders.payments.looks import ask_back, receipt, see

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_refund_that_is_learnt_in_three_ways_at_once_counts_once(order, refund, at_once):
    done = receipt(refund, RefundStatus.SUCCEEDED)
    ways = ("reply", "webhook", "reconciliation")
    outcomes = at_once([partial(settle_refund, refund.pk, done, via=ways[n % 3]) for n in range(9)])
    assert sorted(outcomes) == [False] * 8 + [True]
    assert see(refund) == ("succeeded", Status.REFUNDED, 1000)
    assert JournalEntry.objects.filter(kind="refund").count() == 1
    assert settle_refund(refund.pk, receipt(refund, RefundStatus.PENDING), via="webhook") is False
    assert see(refund) == ("succeeded", Status.REFUNDED, 1000)


def test_a_refund_that_comes_back_days_later_is_booked_back_and_is_an_incident(order, refund):
    settle_refund(refund.pk, receipt(refund, RefundStatus.SUCCEEDED), via="reply")
    failed = receipt(refund, RefundStatus.FAILED, detail="expired_or_canceled_card")
    assert settle_refund(refund.pk, failed, via="webhook") is True
    assert settle_refund(refund.pk, failed, via="reconciliation") is False
    assert see(refund) == ("failed", Status.REFUNDED, 0)
    entries = list(order.journal_entries.order_by("pk").values_list("kind", "provider_ref"))
    assert entries[1:] == [("refund", "re_1"), ("refund", "re_1:returned")]
    assert Incident.objects.get().kind == "refund_failed"


def test_another_amount_than_was_asked_for_settles_nothing_and_is_an_incident(refund):
    other = receipt(refund, RefundStatus.SUCCEEDED, amount=999)
    assert settle_refund(refund.pk, other, via="webhook") is False
    assert see(refund) == ("requested", Status.CANCELLED, 1000)
    assert Incident.objects.get().kind == "amount_differs"


def test_a_refund_that_had_failed_and_went_after_all_counts_again(refund):
    settle_refund(refund.pk, receipt(refund, RefundStatus.FAILED), via="reply")
    assert settle_refund(refund.pk, receipt(refund, RefundStatus.SUCCEEDED), via="webhook") is True
    assert see(refund) == ("succeeded", Status.REFUNDED, 1000)


def test_a_refund_that_went_after_its_sum_was_asked_for_again_is_an_incident(order, refund):
    settle_refund(refund.pk, receipt(refund, RefundStatus.FAILED), via="reply")
    ask_back(order)
    assert settle_refund(refund.pk, receipt(refund, RefundStatus.SUCCEEDED), via="webhook") is False
    assert see(refund) == ("failed", Status.CANCELLED, 1000)
    assert set(Incident.objects.values_list("kind", flat=True)) == {"refund_failed", "refund_unsettled"}


def test_an_order_whose_money_went_back_on_the_way_ends_as_refunded(order, provider, waiting):
    charge_order(order.pk)
    services.fulfil_order(order.pk)
    [all_of_it] = ask_back(order)
    send_refund(all_of_it.pk)
    assert see(all_of_it) == ("succeeded", Status.FULFILLED, 1000)
    services.record_sale(order.pk)
    services.notify_customer(order.pk)
    assert see(all_of_it) == ("succeeded", Status.REFUNDED, 1000)
    kinds = list(order.events.values_list("kind", flat=True))
    assert kinds[-2:] == ["completed", "refunded"]
