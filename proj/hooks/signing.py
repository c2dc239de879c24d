"""Secrets of endpoints, and signatures as Standard Webhooks 1.0.0 has them (https://www.standardwebhooks.com).

A secret has to sign, so it is not kept as a digest: it is encrypted (`proj.sealing`).
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

from proj.sealing import sealer

SEALED_FOR = "proj.hooks.signing"
PREFIX = "whsec_"  # makes a leaked secret recognisable to scanners
SECRET_BYTES = 32  # the specification allows 24 to 64


def new_secret() -> str:
    """Return a secret as its owner is shown it, once."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def seal(secret: str) -> str:
    """Return what is stored of a secret."""
    return sealer(SEALED_FOR).encrypt(base64.b64decode(secret.removeprefix(PREFIX))).decode()


def unseal(sealed: str) -> bytes:
    """Return the key that a stored secret signs with; cryptography's InvalidToken when none of our keys has sealed it."""
    return sealer(SEALED_FOR).decrypt(sealed.encode())


def signature_headers(keys: Iterable[bytes], event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers by which a receiver knows that a message is ours, new, and which one it is.

    Args:
        keys: each signs; a receiver takes the message when one of the signatures is good.
        event_id: the same for every try of an event. It has no full stop in it.
        timestamp: of this try, in seconds since 1970.
        body: what is sent, to the byte.
    """
    content = f"{event_id}.{timestamp}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
