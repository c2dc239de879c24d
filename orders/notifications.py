"""What customers are told. Messages are built here and sent by `services.notifying`."""

from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from orders.balance import read_balance
from orders.models import Notification, Order
from orders.models.notification import NotificationKind
from orders.payments.models import Refund

SUBJECTS: dict[str, str] = {
    NotificationKind.PAID: "We have your payment for order {order}",
    NotificationKind.PAYMENT_FAILED: "The payment for your order {order} did not work",
    NotificationKind.REFUNDED: "Your money for order {order} is on its way back",
    NotificationKind.FULFILLED: "Your order {order} is on its way",
}


def compose(mail: Notification) -> EmailMessage:
    """Return the message for one event of an order, from what is known of the order when it is sent."""
    order = mail.order
    context = {"order": order, "lines": order.lines.all(), "balance": read_balance(order)}
    if mail.kind == NotificationKind.REFUNDED:
        context["refund"] = Refund.objects.get(pk=mail.reference, attempt__order=order)
    return EmailMessage(
        subject=SUBJECTS[mail.kind].format(order=order.public_id),
        body=render_to_string(f"orders/mail/{mail.kind}.txt", context),
        to=[order.customer.email],
        headers={"Message-ID": message_id(order, mail.kind, mail.reference)},
    )


def message_id(order: Order, kind: str, reference: str = "") -> str:
    """The same for every copy of a message, so that a mailbox which gets two shows one."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    name = ".".join(part for part in ("order", str(order.public_id), kind, reference) if part)
    return f"<{name}@{domain}>"
