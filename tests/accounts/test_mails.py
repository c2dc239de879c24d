from datetime import timedelta
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected

import pytest
from django.conf import settings
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection, transaction
from django.utils import timezone

from proj.accounts.mails import post_mail, send_mail
from proj.accounts.models import Mail
from proj.accounts.purges import MAILS_KEPT, purge_mails
from proj.jobs import retention
from proj.jobs.errors import Permanent, Transient
from proj.jobs.models import Job
from tests.factories import make_user

pytestmark = pytest.mark.django_db
SECRET = "http://testserver/accounts/password/reset/key/1-secret/"


def post() -> Mail:
    return post_mail("alice@example.com", "Choose a new password", SECRET)


def refuse(monkeypatch, error: Exception) -> None:
    def fail(self, messages):
        raise error

    monkeypatch.setattr(EmailBackend, "send_messages", fail)


def test_a_mail_is_sent_once_and_forgotten(mailoutbox):
    mail = post()

    send_mail(mail.pk)
    send_mail(mail.pk)

    (message,) = mailoutbox
    assert (message.to, message.subject, message.body) == (["alice@example.com"], mail.subject, SECRET)
    assert Mail.objects.count() == 0


def test_what_is_owed_names_the_mail_and_not_the_link_in_it():
    mail = post()

    job = Job.objects.get(task="accounts.send_mail")
    assert job.queue == "io"
    assert str(mail.pk) in str(job.message)
    assert "secret" not in str(job.message)


@pytest.mark.django_db(transaction=True)
def test_a_mail_of_a_transaction_that_failed_is_never_sent():
    def fail() -> None:
        with transaction.atomic():
            post()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert Mail.objects.count() == Job.objects.count() == 0


def test_a_mail_server_that_is_away_is_tried_again_with_the_same_mail(monkeypatch, mailoutbox):
    mail = post()
    with monkeypatch.context() as away:
        refuse(away, SMTPServerDisconnected("gone"))
        with pytest.raises(Transient, match="did not take it"):
            send_mail(mail.pk)

    send_mail(mail.pk)
    assert len(mailoutbox) == 1


def test_a_second_copy_has_the_same_message_id(mailoutbox, monkeypatch):
    mail = post()
    monkeypatch.setattr(Mail, "delete", lambda self: None)  # the process died before it

    send_mail(mail.pk)
    send_mail(mail.pk)

    first, second = (message.extra_headers["Message-ID"] for message in mailoutbox)
    assert first == second
    assert first.endswith("@example.com>")


def test_a_recipient_who_is_refused_is_not_tried_again(monkeypatch):
    mail = post()
    refuse(monkeypatch, SMTPRecipientsRefused({"alice@example.com": (550, b"no such person")}))

    with pytest.raises(Permanent):
        send_mail(mail.pk)

    assert Mail.objects.count() == 0


def test_a_mail_whose_link_is_of_no_use_any_more_goes_in_the_night():
    post()

    assert retention.registered()["unsent account mails"] is purge_mails
    assert purge_mails(10, timezone.now()) == 0
    assert purge_mails(10, timezone.now() + MAILS_KEPT + timedelta(seconds=1)) == 1


def test_no_link_works_longer_than_mails_are_kept():
    assert timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT) <= MAILS_KEPT


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("UPPER(username) = UPPER('alice')", "accounts_user_username_upper"),
        ("email = 'alice@example.com'", "accounts_user_email"),
    ],
)
def test_people_are_found_by_an_index(condition, index):
    make_user("alice")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN SELECT * FROM auth_user WHERE {condition}")  # noqa: S608  the two above
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert index in plan
