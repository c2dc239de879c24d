"""What customers are told. Messages are built here and sent by `services.notifying`."""

from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from orders.models import Order
from orders.models.notification import NotificationKind


def fulfilled_mail(order: Order) -> EmailMessage:
    """The goods are on their way: what was ordered and what it cost."""
    body = render_to_string("orders/mail/fulfilled.txt", {"order": order, "lines": order.lines.all()})
    return EmailMessage(
        subject=f"Your order {order.public_id} is on its way",
        body=body,
        to=[order.customer.email],
        headers={"Message-ID": message_id(order, NotificationKind.FULFILLED)},
    )


def message_id(order: Order, kind: NotificationKind) -> str:
    """The same for every copy of a message, so that a mailbox which gets two shows one."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    return f"<order.{order.public_id}.{kind}@{domain}>"
