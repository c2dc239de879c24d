"""How we treat the provider: what staff have set, and how it is doing."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q


class Provider(models.Model):
    """One row for each provider; the only one today is `stripe`."""

    name = models.CharField(max_length=32, primary_key=True)
    calls_per_second = models.PositiveIntegerField(
        default=80,
        validators=[MinValueValidator(1)],
        help_text="Of all workers together. Stripe allows 100 in live mode and 25 in test mode.",
    )
    paused = models.BooleanField(
        default=False, help_text="Ask for nothing: charges and refunds wait until this is taken back."
    )
    opens_after = models.PositiveSmallIntegerField(
        default=5,
        validators=[MinValueValidator(1)],
        help_text="Calls in a row without an answer after which the provider counts as down.",
    )
    failures = models.PositiveIntegerField(
        default=0, editable=False, help_text="Without an answer, in a row."
    )
    down_since = models.DateTimeField(null=True, editable=False)
    next_probe_at = models.DateTimeField(
        null=True, editable=False, help_text="While it is down: when one call may try whether it is back."
    )
    recovered_at = models.DateTimeField(
        null=True, editable=False, help_text="When it came back; from then on the rate grows to what is set."
    )
    last_error = models.CharField(max_length=500, blank=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(calls_per_second__gte=1), name="provider_rate_positive"),
            models.CheckConstraint(condition=Q(opens_after__gte=1), name="provider_opens_after_positive"),
        ]

    def __str__(self) -> str:
        return self.name
