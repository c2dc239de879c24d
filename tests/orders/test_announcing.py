"""The mails about money: each once for each event, with what is true when it is sent."""

from functools import partial

import pytest
from django.core import mail
from django.db import transaction
from django.utils import timezone

from orders import services
from orders.models import Notification, Order
from orders.models.notification import NotificationKind
from orders.payments.models import AttemptState
from orders.states import Status
from proj.jobs import subjects
from proj.jobs.models import Job
from proj.jobs.testing import assert_enqueued, drain, enqueued, without_broker
from tests.factories import make_order, make_payment, make_product, make_refund, make_user

pytestmark = pytest.mark.django_db

PAID, FAILED, REFUNDED = NotificationKind.PAID, NotificationKind.PAYMENT_FAILED, NotificationKind.REFUNDED
MONEY = (PAID, FAILED, REFUNDED)


@pytest.fixture
def order() -> Order:
    ann = make_user("ann", email="ann@example.com", first_name="Ann")
    return make_order(
        {make_product("CUP", name="Cup <blue>", amount=250): 3}, status=Status.PAID, customer=ann
    )


def announce(order, kind, reference="") -> Notification:
    with without_broker(), transaction.atomic():
        return services.announce(order, kind, reference)


def test_what_is_announced_is_sent_once_by_a_job_of_its_own(order):
    told = announce(order, PAID)
    again = announce(order, PAID)

    assert again == told
    job = assert_enqueued("orders.send_notification", args=[told.pk], queue="io")
    assert job.subject == f"notification:{told.pk}"
    assert len(drain()) == 1
    assert [message.to for message in mail.outbox] == [["ann@example.com"]]
    told.refresh_from_db()
    assert (told.recipient, told.error, told.claimed_at is not None) == ("ann@example.com", "", True)
    assert told.sent_at is not None


def test_what_is_rolled_back_is_not_announced(order):
    with pytest.raises(ZeroDivisionError), without_broker(), transaction.atomic():
        services.announce(order, PAID)
        raise ZeroDivisionError

    assert (Notification.objects.count(), Job.objects.count()) == (0, 0)


def test_each_refund_is_an_event_of_its_own(order):
    attempt = make_payment(order)
    first, second = (make_refund(attempt, amount) for amount in (100, 200))

    for refund in (first, second, first):
        announce(order, REFUNDED, str(refund.pk))
    drain()

    assert [message.body.splitlines()[2][:5] for message in mail.outbox] == ["£1.00", "£2.00"]
    assert [message.extra_headers["Message-ID"] for message in mail.outbox] == [
        f"<order.{order.public_id}.refunded.{refund.pk}@example.com>" for refund in (first, second)
    ]


def test_who_has_paid_reads_how_much_for_what(order):
    services.send_notification(announce(order, PAID).pk)

    (message,) = mail.outbox
    assert message.subject == f"We have your payment for order {order.public_id}"
    assert message.body == (
        f"Hello Ann,\n\nyour payment of £7.50 for order {order.public_id} has arrived.\n"
        "We write again when your goods are on their way.\n\n"
        "  3 x Cup <blue> (CUP): £7.50\n"
        "\nTotal: £7.50\n"
    )


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.COMPLETED])
def test_a_late_mail_promises_nothing_that_is_over(status):
    order = make_order(status=status)

    services.send_notification(announce(order, PAID).pk)

    assert "has arrived." in mail.outbox[0].body
    assert "We write again" not in mail.outbox[0].body


def test_whose_payment_failed_reads_why_and_that_nothing_was_taken(order):
    order = make_order(
        {make_product("POT", name="Pot", amount=1999): 1},
        status=Status.PAYMENT_FAILED,
        customer=order.customer,
    )
    make_payment(order, state=AttemptState.DECLINED)

    services.send_notification(announce(order, FAILED).pk)

    (message,) = mail.outbox
    assert message.subject == f"The payment for your order {order.public_id} did not work"
    assert message.body == (
        f"Hello Ann,\n\nthe payment of £19.99 for your order {order.public_id} did not work.\nDeclined.\n"
        "You have not been charged, and the goods are back on the shelf.\n\n"
        "  1 x Pot (POT): £19.99\n"
        "\nTotal: £19.99\n"
    )


@pytest.mark.parametrize("state", [AttemptState.UNKNOWN, AttemptState.SENT, AttemptState.SUCCEEDED])
def test_no_mail_says_that_nothing_was_taken_unless_that_is_known(state):
    order = make_order(status=Status.PAYMENT_FAILED)
    make_payment(order, state=state)

    services.send_notification(announce(order, FAILED).pk)

    assert "did not work" in mail.outbox[0].body
    assert "not been charged" not in mail.outbox[0].body


def test_who_gets_money_back_reads_how_much_why_and_what_that_makes(order):
    attempt = make_payment(order)
    make_refund(attempt, 100)
    refund = make_refund(attempt, 250, reason="One handle <was> missing.")

    services.send_notification(announce(order, REFUNDED, str(refund.pk)).pk)

    (message,) = mail.outbox
    assert message.subject == f"Your money for order {order.public_id} is on its way back"
    assert message.body == (
        f"Hello Ann,\n\n£2.50 of your order {order.public_id} is on its way back to your card.\n"
        "Reason: One handle <was> missing.\n"
        "Your bank may take 5 to 10 days to show it.\n\n"
        "Paid: £7.50\nGiven back so far: £3.50\n"
    )


@pytest.mark.parametrize("kind", MONEY)
def test_a_mail_about_money_completes_no_order(kind):
    order = make_order(status=Status.FULFILLED)
    services.record_sale(order.pk)
    reference = str(make_refund(make_payment(order), 1).pk) if kind == REFUNDED else ""

    assert services.send_notification(announce(order, kind, reference).pk).status == Status.FULFILLED
    assert services.record_sale(order.pk).status == Status.FULFILLED

    assert services.notify_customer(order.pk).status == Status.COMPLETED


@pytest.mark.django_db(transaction=True)
def test_sending_at_the_same_time_sends_one_mail(at_once, waiting):
    order = make_order(status=Status.PAID)
    told = announce(order, PAID)

    outcomes = at_once([partial(services.send_notification, told.pk)] * 10)

    assert {type(outcome).__name__ for outcome in outcomes} <= {"Order", "Transient"}
    assert len(mail.outbox) == 1


def test_a_mail_about_money_that_can_never_be_sent_is_settled_with_the_reason():
    order = make_order(status=Status.PAID, customer=make_user(email=""))
    told = announce(order, PAID)

    drain()

    told.refresh_from_db()
    assert (told.error, told.sent_at) == ("The customer has no e-mail address.", None)
    assert (mail.outbox, enqueued()) == ([], [])


def test_a_job_about_a_mail_leads_to_its_order(order):
    told = announce(order, PAID)

    subject = subjects.resolve(f"notification:{told.pk}")

    assert (subject.label, subject.owner_id) == (f"notification:{told.pk}", order.customer_id)
    assert subject.url == order.get_absolute_url()
    assert [subjects.resolve(f"notification:{identity}") for identity in ("0", "x", "")] == [None] * 3


def test_a_sent_mail_is_left_alone(order):
    told = announce(order, PAID)
    Notification.objects.filter(pk=told.pk).update(sent_at=timezone.now())

    services.send_notification(told.pk)

    assert mail.outbox == []
