from celery import shared_task

from proj.accounts import mails


@shared_task(name="accounts.send_mail", queue="io", soft_time_limit=60, time_limit=75)
def send_mail(mail_id: int) -> None:
    """Send one mail about an account; sent again, it is the same mail."""
    mails.send_mail(mail_id)
