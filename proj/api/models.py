"""Bearer tokens. Only a digest is stored: who reads the table can sign in as nobody."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import models
from django.utils import timezone

PREFIX = "shop_"  # makes a leaked token recognisable to scanners
#: How exactly the last use is known: a write for each call would cost more than most calls.
LAST_USE_WITHIN = timedelta(minutes=5)


def digest(token: str) -> str:
    """Return what is stored for a token. It has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


class Token(models.Model):
    """Lets a program act as a user through the API."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=60, blank=True)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True, db_index=True)
    last_used_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return self.name or f"Token {self.pk}"

    @classmethod
    def issue(
        cls, user: AbstractBaseUser, name: str = "", *, lifetime: timedelta | None = None
    ) -> tuple[Self, str]:
        """Create a token for ``user`` and return it with its text, which cannot be read again later.

        Args:
            user: whom it acts as.
            name: what its owner calls it.
            lifetime: how long it can be used; None for as long as nobody revokes it.
        """
        text = PREFIX + secrets.token_urlsafe(32)
        expires_at = timezone.now() + lifetime if lifetime is not None else None
        return cls.objects.create(user=user, name=name, digest=digest(text), expires_at=expires_at), text

    @classmethod
    def find(cls, text: str) -> Self | None:
        """Return the token with this text and its user, if it opens anything now; note that it was used."""
        found = cls.objects.select_related("user").filter(digest=digest(text)).first()
        if found is None or not found.user.is_active or found.has_expired:
            return None
        found.note_use(timezone.now())
        return found

    @property
    def has_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()

    def note_use(self, now: datetime) -> None:
        """Remember that it was used, unless that was noted a short while ago."""
        if self.last_used_at is None or now - self.last_used_at > LAST_USE_WITHIN:
            type(self).objects.filter(pk=self.pk).update(last_used_at=now)


class KeptAnswer(models.Model):
    """The answer to a request with an idempotency key, for whoever sends the same again."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of what was asked, in hex.")
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField()
    body = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once_per_user")]

    def __str__(self) -> str:
        return self.key
