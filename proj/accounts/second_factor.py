"""Second factors: their secrets are encrypted where they are stored."""

import base64

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.crypto import salted_hmac


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # it has no types
    """Keeps secrets under a key made from ``SECRET_KEY``: who reads the database alone has no second factor.

    After ``SECRET_KEY`` was replaced, ``SECRET_KEY_FALLBACKS`` must name the old one for as long as there are secrets
    under it; without it a second factor cannot be used, and staff have to delete it.
    """

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "This code is not right, or it has been used. Please enter a new one.",
        "unverified_email": (
            "Confirm your e-mail address first: it is the way back into your account if you lose your phone."
        ),
    }

    def generate_authenticator_name(self, user: AbstractBaseUser, type: str) -> str:  # noqa: A002  its signature
        """What a new key is called until its owner has a better name."""
        others = Authenticator.objects.filter(user=user.pk, type=type).count()
        return f"Key {others + 1}"

    def encrypt(self, text: str) -> str:
        return _keys().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Raises cryptography's InvalidToken when no key of ours has encrypted it."""
        return _keys().decrypt(encrypted_text.encode()).decode()


def _keys() -> MultiFernet:
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_key(str(secret))) for secret in secrets])


def _key(secret: str) -> bytes:
    mac = salted_hmac("proj.accounts.second_factor", "key", secret=secret, algorithm="sha256")
    return base64.urlsafe_b64encode(mac.digest())
