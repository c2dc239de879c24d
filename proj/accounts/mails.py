"""Mails about accounts: written in the request, in its transaction, and sent behind it."""

from email.utils import parseaddr
from smtplib import SMTPRecipientsRefused

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction

from proj.accounts.models import Mail
from proj.jobs.errors import Permanent, Transient


def post_mail(recipient: str, subject: str, body: str) -> Mail:
    """Hand a mail over for sending and return it; nobody waits for a mail server."""
    from proj.accounts.tasks import send_mail as task  # noqa: PLC0415  the task calls back into this module

    with transaction.atomic():
        mail = Mail.objects.create(recipient=recipient, subject=subject, body=body)
        task.delay(mail.pk)
    return mail


def send_mail(mail_id: int) -> None:
    """Send a mail and forget it. One that is not there has been sent, or is too old to be of use.

    A process that dies between the two sends it again, with the same Message-ID: mailboxes show it once.

    Raises:
        Transient: the mail server did not take it.
        Permanent: it never will, for this recipient.
    """
    mail = Mail.objects.filter(pk=mail_id).first()
    if mail is None:
        return
    try:
        _message(mail).send()
    except SMTPRecipientsRefused as error:
        mail.delete()
        raise Permanent("The mail server refused the recipient.") from error
    except OSError as error:  # smtplib's errors are OSErrors
        raise Transient(f"The mail server did not take it: {type(error).__name__}") from error
    mail.delete()


def _message(mail: Mail) -> EmailMessage:
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    name = f"account.{mail.pk}.{mail.created_at:%Y%m%d%H%M%S%f}"
    return EmailMessage(
        mail.subject, mail.body, to=[mail.recipient], headers={"Message-ID": f"<{name}@{domain}>"}
    )
