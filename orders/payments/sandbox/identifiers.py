"""Identifiers that look like Stripe's: a prefix that says what it is, and 24 characters."""

import secrets
import string

ALPHABET = string.ascii_letters + string.digits


def identifier(prefix: str) -> str:
    return f"{prefix}_3" + "".join(secrets.choice(ALPHABET) for _ in range(23))
