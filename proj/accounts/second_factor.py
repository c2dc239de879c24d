"""Second factors: their secrets are encrypted where they are stored."""

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.contrib.auth.base_user import AbstractBaseUser

from proj.sealing import sealer

SEALED_FOR = "proj.accounts.second_factor"


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # it has no types
    """Keeps secrets encrypted. Without the key that they are under a second factor cannot be used, and staff have to delete it."""

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
        return sealer(SEALED_FOR).encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Raises cryptography's InvalidToken when no key of ours has encrypted it."""
        return sealer(SEALED_FOR).decrypt(encrypted_text.encode()).decode()
