"""The whole way from an order to the mails about its money, with the provider's stand-in and every job run."""

import pytest
from django.core import mail

from orders import services
from orders.models import Notification, Order
from orders.payments.models import Refund
from orders.states import Status
from proj.jobs.testing import drain, without_broker
from tests.factories import make_product, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place(provider):
    """Return a function that places an order of £5.00 and runs everything that is owed."""
    ann, cup = make_user("ann"), make_product("CUP", amount=250)

    def place_order(card: str = "pm_card_visa") -> Order:
        with without_broker():
            lines = [services.LineRequest(cup.sku, 2)]
            order = services.place_order(ann, lines, payment_method=card).order
            drain()
        order.refresh_from_db()
        return order

    return place_order


def told() -> list[str]:
    return sorted(Notification.objects.exclude(sent_at=None).values_list("kind", flat=True))


def test_who_pays_is_told_that_it_arrived_and_that_the_goods_are_on_their_way(place):
    assert place().status == Status.COMPLETED

    assert told() == ["fulfilled", "paid"]
    assert len(mail.outbox) == 2
    assert drain() == []


def test_whose_card_is_declined_is_told_once(place):
    order = place("pm_card_chargeDeclined")

    assert (order.status, told()) == (Status.PAYMENT_FAILED, ["payment_failed"])
    (message,) = mail.outbox
    assert order.reason in message.body
    assert "You have not been charged" in message.body


def test_who_gets_money_back_is_told_for_each_refund_once(place):
    order = place()
    mail.outbox.clear()

    with without_broker():
        for number, amount in ((1, 100), (2, 400)):
            services.refund_order(order.pk, amount, number=number, reason="Sorry.", actor="boss")
        drain()

    order.refresh_from_db()
    assert [message.body.splitlines()[2].split()[0] for message in mail.outbox] == ["£1.00", "£4.00"]
    assert order.status == Status.REFUNDED
    assert set(Refund.objects.values_list("state", flat=True)) == {"succeeded"}
    assert Notification.objects.filter(kind="refunded").count() == 2
    assert drain() == []
