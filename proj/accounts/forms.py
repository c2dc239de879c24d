"""The forms of accounts: django-allauth's, with labels of our own above the fields and nothing inside them."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from allauth.account import forms as account
from allauth.core import context as current
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.base import forms as mfa
from allauth.mfa.totp import forms as totp
from allauth.mfa.webauthn import forms as webauthn
from cryptography.exceptions import InvalidSignature
from django import forms
from django.core.cache import cache
from django.core.exceptions import ValidationError

from proj.accounts import limits

NEW_PASSWORD = "At least 8 characters; not a common one, not only digits, and not like your name or address."  # noqa: S105  words
#: Seconds that a code of an authenticator app can be used: its own half minute, and one before and after.
CODE_LIVES = 90


class Plain:
    """Without placeholders, which disappear when one needs them; with our words for what the fields have in common."""

    fields: dict[str, forms.Field]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            field.help_text = NEW_PASSWORD if name == "password1" else ""
            if name in {"email", "email2"}:
                field.label = "E-mail address"


class LoginForm(Plain, account.LoginForm):  # type: ignore[misc]  # it has no types
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "E-mail address or username"
        self.fields["login"].widget.attrs |= {"autocomplete": "username", "autocapitalize": "none"}

    def add_prefix(self, field_name: str) -> str:
        """Keep the name that Django's own form has: what programs send and password managers know."""
        return str(super().add_prefix("username" if field_name == "login" else field_name))


class SignupForm(Plain, account.SignupForm):  # type: ignore[misc]
    pass


class AddEmailForm(Plain, account.AddEmailForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = "New e-mail address"


class ChangePasswordForm(Plain, account.ChangePasswordForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name_passwords(self.fields)
        self.fields["oldpassword"].label = "Current password"


class SetPasswordForm(Plain, account.SetPasswordForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name_passwords(self.fields)


class ResetPasswordForm(Plain, account.ResetPasswordForm):  # type: ignore[misc]
    pass


class ResetPasswordKeyForm(Plain, account.ResetPasswordKeyForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name_passwords(self.fields)


class ReauthenticateForm(Plain, account.ReauthenticateForm):  # type: ignore[misc]
    pass


class Code(Plain):
    """A code from an app, or a recovery code."""

    user: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].label = "Code from your app, or a recovery code"
        self.fields["code"].widget.attrs |= {"autocapitalize": "none", "spellcheck": "false"}

    def clean_code(self) -> str:
        with answered_when_too_many():
            return str(super().clean_code())  # type: ignore[misc]  # of the form that this is mixed into


class AuthenticateForm(Code, mfa.AuthenticateForm):  # type: ignore[misc]
    def clean_code(self) -> str:
        return take_once(self.user, super().clean_code())


class ReauthenticateCodeForm(Code, mfa.ReauthenticateForm):  # type: ignore[misc]
    def clean_code(self) -> str:
        return take_once(self.user, super().clean_code())


class ActivateForm(Code, totp.ActivateTOTPForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].label = "Code from the app"
        self.fields["code"].widget.attrs |= {"inputmode": "numeric"}


class KeyForm(webauthn.AuthenticateWebAuthnForm):  # type: ignore[misc]
    def clean_credential(self) -> Any:
        with answered_when_too_many(), refused_when_odd():
            return super().clean_credential()


class ReauthenticateKeyForm(webauthn.ReauthenticateWebAuthnForm):  # type: ignore[misc]
    def clean_credential(self) -> Any:
        with answered_when_too_many(), refused_when_odd():
            return super().clean_credential()


class AddKeyForm(webauthn.AddWebAuthnForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].label = "What do you call it?"

    def clean(self) -> Any:
        with refused_when_odd():
            return super().clean()


@contextmanager
def refused_when_odd() -> Iterator[None]:
    """Refuse what no security key answers; the library lets some of it through as errors of its own."""
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError, struct.error, InvalidSignature) as error:
        raise ValidationError("This was not the answer of a security key of yours.") from error


@contextmanager
def answered_when_too_many() -> Iterator[None]:
    """Turn the refusal of one try too many into the answer 429, which ends the request."""
    try:
        yield
    except ValidationError as error:
        if limits.is_too_many(error):
            raise ImmediateHttpResponse(limits.too_many_failures(current.request)) from error
        raise


def name_passwords(fields: dict[str, forms.Field]) -> None:
    """Name the two fields of a new password."""
    fields["password1"].label = "New password"
    fields["password2"].label = "New password again"


def take_once(user: Any, code: str) -> str:
    """Refuse a code that was used while it can still be: whoever looked over a shoulder has as long as its owner.

    django-allauth remembers it for its own half minute only, and the clocks of phones need more.
    """
    digits = "".join(filter(str.isalnum, code))
    if not cache.add(f"code-used:{user.pk}:{digits}", 1, timeout=CODE_LIVES):
        raise ValidationError("This code has been used. Please wait for the next one.", code="incorrect_code")
    return code
