"""Bearer tokens. Only a digest is stored: who reads the table can sign in as nobody."""

import hashlib
import secrets
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import models

PREFIX = "shop_"  # makes a leaked token recognisable to scanners


def digest(token: str) -> str:
    """Return what is stored for a token. It has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


class Token(models.Model):
    """Lets a program act as a user through the API."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"token {self.pk} of {self.user}"

    @classmethod
    def issue(cls, user: AbstractBaseUser) -> tuple[Self, str]:
        """Create a token for ``user`` and return it with its text, which cannot be read again later."""
        text = PREFIX + secrets.token_urlsafe(32)
        return cls.objects.create(user=user, digest=digest(text)), text
