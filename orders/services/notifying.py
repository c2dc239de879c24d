"""Telling the customer, once for each event.

`announce` owes a mail, in the transaction of what it tells. The claim is committed before the mail is handed over, the
mark that it was sent after. A process that dies in between leaves a claim without a mark: nobody can know whether the
mail server had taken the message. After `CLAIM_EXPIRES` it is sent again, under the same Message-ID, by which mailboxes
recognise a second copy. This window is the only way to a second mail; it cannot be closed without the mail server's help.
"""

from datetime import timedelta
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused

from celery import signature
from django.db import transaction
from django.utils import timezone

from orders import locks, notifications
from orders.models import Notification, Order
from orders.models.notification import NotificationKind
from orders.services.fulfilling import complete_if_done
from orders.states import Status
from proj.jobs.errors import Transient

#: Longer than the hard time limit of the tasks that send (60 s): whoever held the claim is gone.
CLAIM_EXPIRES = timedelta(seconds=90)


def announce(order: Order, kind: NotificationKind, reference: str = "") -> Notification:
    """Owe the customer a mail about something that has happened to the order.

    Needs the transaction in which it happens, with the order locked. Announcing the same again owes nothing new.

    Args:
        order: whose customer is to know.
        kind: what has happened.
        reference: which one, of what can happen more than once to an order: the refund's primary key.

    """
    mail, is_new = Notification.objects.get_or_create(order=order, kind=kind, reference=reference)
    if is_new:
        # By name, as in the pipeline: tasks stand above the services. The message leaves on commit.
        signature("orders.send_notification", args=(mail.pk,)).apply_async()
    return mail


def notify_customer(order_id: int) -> Order:
    """Send the mail that a fulfilled order is on its way: the step that the order's completion waits for.

    Raises Transient as `send_notification` does.
    """
    with transaction.atomic():
        order = locks.lock_order(order_id)
        if order.status != Status.FULFILLED:
            return order
        mail, _ = Notification.objects.get_or_create(order=order, kind=NotificationKind.FULFILLED)
    return send_notification(mail.pk)


def send_notification(notification_id: int) -> Order:
    """Send one mail that is owed, and return its order; what can never be sent is settled with the reason.

    Raises Transient when the mail server did not take it, or when another run is sending it at this moment.
    """
    mail, is_ours = _claim(notification_id)
    if not is_ours:
        return mail.order
    if not mail.order.customer.email:
        return _settle(mail, error="The customer has no e-mail address.")
    try:
        notifications.compose(mail).send()
    except (OSError, SMTPException, ValueError) as problem:
        if _is_final(problem):
            return _settle(mail, error=f"It cannot be delivered: {problem}"[:500])
        _give_back(mail)
        raise Transient(f"The mail server did not take it: {problem}") from problem
    return _settle(mail, recipient=mail.order.customer.email)


def _claim(notification_id: int) -> tuple[Notification, bool]:
    """The mail with its order, and whether it is ours to send now."""
    with transaction.atomic():
        mail = _lock(notification_id)
        if mail.is_settled:
            _follow(mail)
            return mail, False
        now = timezone.now()
        if mail.claimed_at is not None and now - mail.claimed_at < CLAIM_EXPIRES:
            raise Transient("Its mail is being sent by another run.")
        mail.claimed_at = now
        mail.save(update_fields=["claimed_at"])
        return mail, True


def _lock(notification_id: int) -> Notification:
    """The mail as it is now, and its order, locked: whoever sends or settles a mail of an order holds that lock."""
    order = locks.lock_order(Notification.objects.values_list("order_id", flat=True).get(pk=notification_id))
    mail = Notification.objects.get(pk=notification_id)
    mail.order = order
    return mail


def _settle(mail: Notification, *, recipient: str = "", error: str = "") -> Order:
    """Mark the mail as sent to `recipient`, or as impossible because of `error`."""
    with transaction.atomic():
        mail = _lock(mail.pk)
        mail.sent_at, mail.recipient, mail.error = None if error else timezone.now(), recipient, error
        mail.save(update_fields=["sent_at", "recipient", "error"])
        _follow(mail)
        return mail.order


def _follow(mail: Notification) -> None:
    """What a settled mail leads to. Only the one that the goods are on their way is a step of its order."""
    if mail.kind == NotificationKind.FULFILLED and mail.order.status == Status.FULFILLED:
        complete_if_done(mail.order)


def _give_back(mail: Notification) -> None:
    """The next try need not wait until the claim expires."""
    Notification.objects.filter(pk=mail.pk).update(claimed_at=None)


def _is_final(problem: Exception) -> bool:
    """Whether another try would end the same way: the mailbox or the message is refused for good (5xx in
    RFC 5321, 4.2.1), or the address is none. A login or a sender that is refused is ours to mend, then it goes.
    """
    if isinstance(problem, SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in problem.recipients.values())  # noqa: PLR2004
    if isinstance(problem, SMTPDataError):
        return problem.smtp_code >= 500  # noqa: PLR2004
    return isinstance(problem, ValueError)
