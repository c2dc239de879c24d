"""Telling the customer, once.

The claim is committed before the mail is handed over, the mark that it was sent after. A process that dies in
between leaves a claim without a mark: nobody can know whether the mail server had taken the message. After
`CLAIM_EXPIRES` it is sent again, under the same Message-ID, by which mailboxes recognise a second copy. This window
is the only way to a second mail; it cannot be closed without the mail server's help.
"""

from datetime import timedelta
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused

from django.db import transaction
from django.utils import timezone

from orders import locks, notifications
from orders.models import Notification, Order
from orders.models.notification import NotificationKind
from orders.services.fulfilling import complete_if_done
from orders.states import Status
from proj.jobs.errors import Transient

#: Longer than the hard time limit of the task that sends (60 s): whoever held the claim is gone.
CLAIM_EXPIRES = timedelta(seconds=90)


def notify_customer(order_id: int) -> Order:
    """Send the mail that a fulfilled order is on its way; what can never be sent is settled with the reason.

    Raises Transient when the mail server did not take it, or when another run is sending it at this moment.
    """
    order, is_ours = _claim(order_id)
    if not is_ours:
        return order
    if not order.customer.email:
        return _settle(order_id, error="The customer has no e-mail address.")
    try:
        notifications.fulfilled_mail(order).send()
    except (OSError, SMTPException, ValueError) as problem:
        if _is_final(problem):
            return _settle(order_id, error=f"It cannot be delivered: {problem}"[:500])
        _give_back(order_id)
        raise Transient(f"The mail server did not take it: {problem}") from problem
    return _settle(order_id, recipient=order.customer.email)


def _claim(order_id: int) -> tuple[Order, bool]:
    """The order, and whether its mail is ours to send now."""
    with transaction.atomic():
        order = locks.lock_order(order_id)
        if order.status != Status.FULFILLED:
            return order, False
        mail, _ = Notification.objects.get_or_create(order=order, kind=NotificationKind.FULFILLED)
        if mail.is_settled:
            complete_if_done(order)
            return order, False
        now = timezone.now()
        if mail.claimed_at is not None and now - mail.claimed_at < CLAIM_EXPIRES:
            raise Transient("Its mail is being sent by another run.")
        mail.claimed_at = now
        mail.save(update_fields=["claimed_at"])
        return order, True


def _settle(order_id: int, *, recipient: str = "", error: str = "") -> Order:
    """Mark the mail as sent to `recipient`, or as impossible because of `error`."""
    with transaction.atomic():
        order = locks.lock_order(order_id)
        order.notifications.filter(kind=NotificationKind.FULFILLED).update(
            sent_at=None if error else timezone.now(), recipient=recipient, error=error
        )
        complete_if_done(order)
        return order


def _give_back(order_id: int) -> None:
    """The next try need not wait until the claim expires."""
    Notification.objects.filter(order_id=order_id, kind=NotificationKind.FULFILLED).update(claimed_at=None)


def _is_final(problem: Exception) -> bool:
    """Whether another try would end the same way: the mailbox or the message is refused for good (5xx in
    RFC 5321, 4.2.1), or the address is none. A login or a sender that is refused is ours to mend, then it goes.
    """
    if isinstance(problem, SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in problem.recipients.values())  # noqa: PLR2004
    if isinstance(problem, SMTPDataError):
        return problem.smtp_code >= 500  # noqa: PLR2004
    return isinstance(problem, ValueError)
