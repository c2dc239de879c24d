"""What accounts leave behind that nobody needs for long; the nightly clean-up deletes it."""

from datetime import datetime, timedelta

from proj.accounts.models import Mail
from proj.api.models import Token

#: As long as the link in it can be used at most: ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS.
MAILS_KEPT = timedelta(days=3)
#: Long enough to see in the list why a program has stopped working.
EXPIRED_TOKENS_KEPT = timedelta(days=30)


def purge_mails(limit: int, now: datetime) -> int:
    """Delete at most `limit` mails that could not be sent in time; returns how many."""
    old = Mail.objects.filter(created_at__lt=now - MAILS_KEPT).order_by("pk").values("pk")[:limit]
    return Mail.objects.filter(pk__in=old).delete()[0]


def purge_tokens(limit: int, now: datetime) -> int:
    """Delete at most `limit` tokens that ran out some time ago; returns how many."""
    old = Token.objects.filter(expires_at__lt=now - EXPIRED_TOKENS_KEPT).order_by("pk").values("pk")[:limit]
    return Token.objects.filter(pk__in=old).delete()[0]
