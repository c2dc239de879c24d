from datetime import timedelta
from functools import partial
from smtplib import (
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPRecipientsRefused,
    SMTPServerDisconnected,
)

import pytest
import time_machine
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.utils import timezone

from orders import notifications, services
from orders.models import Notification
from orders.services.notifying import CLAIM_EXPIRES
from orders.states import Status
from proj.jobs.errors import Transient
from tests.factories import make_order, make_product, make_user

UNICODE = "Zoë & Søn"


@pytest.mark.django_db
def test_the_customer_is_told_what_is_on_its_way():
    ann = make_user("ann", email="ann@example.com", first_name=UNICODE)
    cup, pot = (
        make_product("CUP", name="Cup <blue> & 'big'", amount=250),
        make_product("POT", name="Pot", amount=1999),
    )
    order = make_order({cup: 3, pot: 1}, status=Status.FULFILLED, customer=ann)

    services.notify_customer(order.pk)

    (message,) = mail.outbox
    assert (message.to, message.from_email) == (["ann@example.com"], "shop@example.com")
    assert message.subject == f"Your order {order.public_id} is on its way"
    assert message.body == (
        f"Hello {UNICODE},\n\nyour order {order.public_id} has been paid and is on its way.\n\n"
        "  3 x Cup <blue> & 'big' (CUP): £7.50\n"
        "  1 x Pot (POT): £19.99\n"
        "\nTotal: £27.49\n"
    )
    sent = Notification.objects.get()
    assert (sent.order, sent.kind, sent.recipient, sent.error) == (order, "fulfilled", "ann@example.com", "")
    assert sent.sent_at is not None


@pytest.mark.django_db
def test_every_copy_of_a_message_has_the_same_id():
    order = make_order(status=Status.FULFILLED)

    mail = Notification.objects.create(order=order, kind="fulfilled")
    ids = {notifications.compose(mail).message()["Message-ID"] for _ in range(2)}

    assert ids == {f"<order.{order.public_id}.fulfilled@example.com>"}


@pytest.mark.django_db
def test_notifying_twice_sends_one_mail():
    order = make_order(status=Status.FULFILLED)

    services.notify_customer(order.pk)
    services.notify_customer(order.pk)

    assert len(mail.outbox) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("status", sorted(set(Status) - {Status.FULFILLED}))
def test_notifying_at_any_other_time_does_nothing(status):
    order = make_order(status=status)
    before = list(Notification.objects.values())

    assert services.notify_customer(order.pk).status == status

    assert (mail.outbox, list(Notification.objects.values())) == ([], before)


@pytest.mark.django_db(transaction=True)
def test_notifying_at_the_same_time_sends_one_mail_and_the_others_come_back_later(at_once):
    order = make_order(status=Status.FULFILLED)

    outcomes = at_once([partial(services.notify_customer, order.pk)] * 20)

    assert {type(outcome).__name__ for outcome in outcomes} <= {"Order", "Transient"}
    assert len(mail.outbox) == 1
    assert services.notify_customer(order.pk).status == Status.FULFILLED
    assert len(mail.outbox) == 1


@pytest.mark.django_db
def test_a_claim_whose_holder_died_is_taken_over_when_it_expires():
    order = make_order(status=Status.FULFILLED)
    Notification.objects.create(order=order, kind="fulfilled", claimed_at=timezone.now())

    with pytest.raises(Transient, match="being sent by another run"):
        services.notify_customer(order.pk)
    assert mail.outbox == []

    with time_machine.travel(timezone.now() + CLAIM_EXPIRES + timedelta(seconds=1)):
        services.notify_customer(order.pk)
    assert len(mail.outbox) == 1


def fail_with(monkeypatch, error):
    def refuse(self, messages):
        raise error

    monkeypatch.setattr(EmailBackend, "send_messages", refuse)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("refused"),
        TimeoutError("timed out"),
        SMTPServerDisconnected("gone"),
        SMTPAuthenticationError(535, b"wrong password"),
        SMTPRecipientsRefused({"ann@example.com": (450, b"greylisted")}),
        SMTPDataError(451, b"later"),
    ],
)
def test_a_mail_server_that_is_away_costs_a_retry_and_no_claim(monkeypatch, error):
    order = make_order(status=Status.FULFILLED)
    with monkeypatch.context() as patch:
        fail_with(patch, error)
        with pytest.raises(Transient, match="The mail server did not take it"):
            services.notify_customer(order.pk)
    assert not Notification.objects.settled().exists()

    services.notify_customer(order.pk)

    assert len(mail.outbox) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "error",
    [
        SMTPRecipientsRefused({"ann@example.com": (550, b"no such mailbox")}),
        SMTPDataError(554, b"rejected"),
        ValueError("Invalid address"),
    ],
)
def test_a_mail_that_can_never_be_delivered_does_not_hold_the_order_up(monkeypatch, error):
    order = make_order(status=Status.FULFILLED)
    services.record_sale(order.pk)
    fail_with(monkeypatch, error)

    assert services.notify_customer(order.pk).status == Status.COMPLETED

    notification = Notification.objects.get()
    assert notification.error == f"It cannot be delivered: {error}"
    assert (notification.sent_at, notification.recipient) == (None, "")


@pytest.mark.django_db
def test_a_customer_without_an_address_does_not_hold_the_order_up():
    order = make_order(status=Status.FULFILLED, customer=make_user(email=""))
    services.record_sale(order.pk)

    assert services.notify_customer(order.pk).status == Status.COMPLETED

    assert Notification.objects.get().error == "The customer has no e-mail address."
    assert mail.outbox == []


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_the_mail_is_sent(monkeypatch):
    order = make_order(status=Status.FULFILLED)
    seen = []

    def look(self, messages):
        seen.append((connection.in_atomic_block, Notification.objects.get().claimed_at is not None))
        return len(messages)

    monkeypatch.setattr(EmailBackend, "send_messages", look)

    services.notify_customer(order.pk)

    assert seen == [(False, True)]
