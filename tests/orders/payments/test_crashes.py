"""A process that dies at any point of a charge or a refund: the next run ends it, and money moves once."""

import pytest
from django.db import connection

from orders.payments import charging, refunding
from orders.payments.failpoints import POINTS
from orders.payments.models import JournalEntry, Refund
from orders.services import cancel_order
from orders.states import Status
from proj.jobs import failpoints
from tests.orders.payments.looks import attempts, refunds_of, stock

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """What a process that is killed does not survive either: nothing catches it, and the transaction is lost."""


@pytest.fixture
def killed_at():
    """Return a function that lets the process die at a point, once; and what points it has passed."""
    passed: list[str] = []

    def arm(point: str) -> list[str]:
        def strike(name: str) -> None:
            passed.append(name)
            if name == point and passed.count(name) == 1:
                connection.close()
                raise Killed

        failpoints.arm(strike)
        return passed

    yield arm
    failpoints.arm(None)


def points(subject: str) -> list[str]:
    return [point for point in POINTS if point.startswith(subject)]


@pytest.mark.parametrize("point", points("payment"))
def test_a_charge_whose_process_dies_is_made_once_by_the_next_run(order, product, provider, killed_at, point):
    passed = killed_at(point)
    with pytest.raises(Killed):
        charging.charge_order(order.pk)
    order.refresh_from_db()
    assert (order.status, attempts(order)) == (Status.CHARGING, [("sent", "", "")])
    assert JournalEntry.objects.count() == 0
    assert provider.charges_of(order.public_id) == ([] if point == "payment:begun" else [(1000, "gbp")])

    charging.charge_order(order.pk)

    order.refresh_from_db()
    assert [name for name in passed if name in POINTS][-3:] == points("payment")
    assert (order.status, attempts(order), stock(product)) == (
        Status.PAID,
        [("succeeded", "", "")],
        (10, 4),
    )
    assert provider.charges_of(order.public_id) == [(1000, "gbp")]
    assert list(order.journal_entries.values_list("kind", flat=True)) == ["capture"]
    assert order.events.filter(kind="paid").count() == 1


@pytest.mark.parametrize("point", points("refund"))
def test_a_refund_whose_process_dies_is_made_once_by_the_next_run(order, product, provider, killed_at, point):
    charging.charge_order(order.pk)
    cancel_order(order.pk, "ann")
    refund = Refund.objects.get()
    passed = killed_at(point)
    with pytest.raises(Killed):
        refunding.send_refund(refund.pk)
    refund.refresh_from_db()
    order.refresh_from_db()
    assert (order.status, refund.state) == (Status.CANCELLED, "requested")
    assert list(order.journal_entries.values_list("kind", flat=True)) == ["capture"]
    assert refunds_of(provider, order) == ([] if point == "refund:begun" else [(1000, "gbp")])

    refunding.send_refund(refund.pk)

    refund.refresh_from_db()
    order.refresh_from_db()
    assert [name for name in passed if name in POINTS][-3:] == points("refund")
    assert (order.status, refund.state, stock(product)) == (Status.REFUNDED, "succeeded", (10, 0))
    assert refunds_of(provider, order) == [(1000, "gbp")]
    assert list(order.journal_entries.values_list("kind", flat=True)) == ["refund", "capture"]
    assert order.payment_attempts.get().refunded == 1000
