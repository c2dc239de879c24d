from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from proj.api.models import Token

#: More than a person has programs; fewer than a loop would make.
MAX_TOKENS = 50
LIFETIMES = [("30", "30 days"), ("90", "90 days"), ("365", "A year"), ("", "Until you revoke it")]


class TokenForm(forms.Form):
    """What somebody says about a token that they want."""

    name = forms.CharField(
        label="What is it for?",
        max_length=60,
        help_text="A name by which you will know it, such as “till 3”.",
    )
    days = forms.ChoiceField(label="It can be used for", choices=LIFETIMES, required=False, initial="90")

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean(self) -> dict[str, Any] | None:
        if self.user.api_tokens.count() >= MAX_TOKENS:
            raise ValidationError(f"You have {MAX_TOKENS} tokens. Revoke one that you no longer use first.")
        return super().clean()

    def issue(self) -> tuple[Token, str]:
        """Create the token and return it with its text, to be shown once."""
        days = self.cleaned_data["days"]
        lifetime = timedelta(days=int(days)) if days else None
        return Token.issue(self.user, self.cleaned_data["name"], lifetime=lifetime)
