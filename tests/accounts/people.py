"""What the people of these tests have and do: mailboxes, phones, passwords."""

import json
import re
import time

from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from allauth.mfa.webauthn.internal.auth import WebAuthn
from django.contrib.auth.models import User
from django.core import mail
from django.http import HttpResponse
from django.test import Client

from proj.accounts import mails
from proj.accounts.models import Mail
from tests.accounts.security_key import SecurityKey
from tests.factories import PASSWORD

LOGIN, LOGOUT, SIGNUP = "/accounts/login/", "/accounts/logout/", "/accounts/signup/"
RESET, SECOND_STEP, AGAIN = (
    "/accounts/password/reset/",
    "/accounts/2fa/authenticate/",
    "/accounts/reauthenticate/",
)
PROVED_BY_KEY = "/accounts/2fa/webauthn/reauthenticate/"


def confirmed(user: User) -> User:
    """Let somebody have confirmed their address."""
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def sign_in(client: Client, login: str, password: str = PASSWORD, **fields: str) -> HttpResponse:
    return client.post(LOGIN, {"username": login, "password": password, **fields})


def prove(client: Client) -> None:
    """Show the password of the person who is signed in again, as pages ask before what could shut one out."""
    assert client.post(AGAIN, {"password": PASSWORD}).status_code == 302


def is_signed_in(client: Client) -> bool:
    return client.get("/orders/").status_code == 200


def give_phone(user: User) -> str:
    """Give somebody an authenticator app and return its secret."""
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    return secret


def give_key(user: User, name: str = "blue one") -> SecurityKey:
    """Give somebody a security key and return it."""
    key = SecurityKey()
    options = {"publicKey": {"rp": {"id": "testserver"}, "challenge": "none"}}
    WebAuthn.add(user, name, json.loads(key.create({"creation_options": options})))
    return key


def code(secret: str, step: int = 0) -> str:
    """Return what an app with this secret shows; ``step`` half minutes from now (-1, 0 and 1 are taken)."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + step))


def delivered() -> list[mail.EmailMessage]:
    """Send every mail that waits, and return all that were sent."""
    for waiting in Mail.objects.order_by("pk"):
        mails.send_mail(waiting.pk)
    return mail.outbox


def link_in(message: mail.EmailMessage) -> str:
    """Return the path of the one link that a mail has beside the one to the shop."""
    (found,) = re.findall(r"http://testserver(/\S+)", message.body)
    return found
