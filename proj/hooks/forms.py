from typing import Any

from django import forms

from proj.hooks import kinds
from proj.hooks.endpoints import EndpointRefused
from proj.hooks.models.endpoint import URL_LENGTH


class EndpointForm(forms.Form):
    """What somebody says about an endpoint. The services decide; what they refuse is shown where it was written."""

    url = forms.CharField(
        label="Address",
        max_length=URL_LENGTH,
        help_text="Where we send a POST for each event, such as https://example.com/hooks.",
        widget=forms.URLInput,
    )
    description = forms.CharField(
        label="What is it?", max_length=100, required=False, help_text="A name by which you will know it."
    )
    events = forms.MultipleChoiceField(label="Tell it when", widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(kind.name, kind.words) for kind in kinds.subscribable().values()]
        self.fields["events"].choices = choices  # type: ignore[attr-defined]

    def refuse(self, refusal: EndpointRefused) -> None:
        """Show what the services refused."""
        self.add_error(refusal.field or None, refusal.detail)


class SinceForm(forms.Form):
    """From when on what failed is sent again."""

    since = forms.DateField(
        label="Events from this day on (UTC)",
        required=False,
        help_text="Leave it empty for all that we still have: 30 days.",
        widget=forms.DateInput(attrs={"type": "date"}),
    )


class RotateForm(forms.Form):
    """What becomes of the old secret."""

    old = forms.ChoiceField(
        label="The old secret",
        choices=[
            ("overlap", "goes on signing too for 24 hours, while you bring the new one to your receiver"),
            ("end", "ends at once: somebody else may have it"),
        ],
        widget=forms.RadioSelect,
        initial="overlap",
    )
