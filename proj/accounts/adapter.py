"""What django-allauth leaves to the project: its words, its mails, and its answer to too many tries."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context as current
from allauth.core.exceptions import ImmediateHttpResponse
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from proj.accounts import limits
from proj.accounts.mails import post_mail


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # it has no types
    """Sends mails behind the request and answers a password guessed too often with 429."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        # One sentence whatever was typed, so that it does not tell whether the account exists.
        "username_password_mismatch": "We know nobody by that name and password. Please check both; capitals matter.",
        "email_password_mismatch": "We know nobody by that address and password. Please check both; capitals matter.",
        "email_taken": "There is an account with this e-mail address. Sign in, or reset its password.",
        "enter_current_password": "This is not your current password.",
        "incorrect_password": "This is not your password.",
        "incorrect_code": "This code is not right, or it has been used. Please enter a new one.",
        "duplicate_email": "This is your e-mail address already.",
    }

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count a try. Raises ImmediateHttpResponse, which ends the request, when there were too many."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError as error:
            raise ImmediateHttpResponse(limits.too_many_failures(request)) from error

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Write a mail now, with the words of the request, and send it behind the request."""
        request = current.request
        message = self.render_mail(
            template_prefix, email, {"request": request, "email": email, "shop": _home(request), **context}
        )
        post_mail(email, message.subject, str(message.body))


def _home(request: HttpRequest) -> str:
    return request.build_absolute_uri("/")
