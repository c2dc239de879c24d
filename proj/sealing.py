"""Encrypts secrets that have to be read again, such as those that sign: who reads the database alone, or a backup of it, has none.

The keys are made from ``SECRET_KEY``. After it was replaced, ``SECRET_KEY_FALLBACKS`` must name the old one for as long as
there is anything under it.
"""

import base64

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.utils.crypto import salted_hmac


def sealer(purpose: str) -> MultiFernet:
    """Return what encrypts and decrypts for one purpose, and opens nothing of another.

    It encrypts under the newest key, and tries all when it decrypts; cryptography's InvalidToken when none fits.

    Args:
        purpose: a name that never changes: what was sealed for it could not be read any more.
    """
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return MultiFernet([Fernet(_key(purpose, str(secret))) for secret in secrets])


def _key(purpose: str, secret: str) -> bytes:
    return base64.urlsafe_b64encode(salted_hmac(purpose, "key", secret=secret, algorithm="sha256").digest())
