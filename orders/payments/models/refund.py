"""What the provider was asked to give back."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone


class RefundState(models.TextChoices):
    REQUESTED = "requested"  # stored before the provider is asked: from here on it may have been
    UNKNOWN = "unknown"  # asked, without an answer that says what happened: asked again with the same key
    SUCCEEDED = "succeeded"  # the money is on its way back
    FAILED = "failed"  # refused for good; nothing is given back, and the sum may be asked for again


OPEN_REFUNDS = (RefundState.REQUESTED, RefundState.UNKNOWN)


class RefundQuerySet(models.QuerySet["Refund"]):
    def open(self) -> Self:
        return self.filter(state__in=OPEN_REFUNDS)


class Refund(models.Model):
    """Money of one captured payment that goes back, all of it or a part.

    That all refunds together stay within what was captured is a constraint of the attempt's row.
    """

    attempt = models.ForeignKey("payments.PaymentAttempt", models.PROTECT, related_name="refunds")
    idempotency_key = models.CharField(max_length=255, unique=True)
    amount = models.BigIntegerField(help_text="In the currency's minor unit (pence, cents).")
    currency = models.CharField(max_length=3, help_text="ISO 4217.")
    reason = models.CharField(max_length=500, help_text="Why, for the customer and for us.")
    requested_by = models.CharField(max_length=150)
    state = models.CharField(max_length=16, choices=RefundState, default=RefundState.REQUESTED)
    provider_ref = models.CharField(max_length=255, blank=True, help_text="The provider's id, such as re_...")
    error_code = models.CharField(max_length=64, blank=True)
    error_detail = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    objects = RefundQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["updated_at"], name="refund_open", condition=Q(state__in=OPEN_REFUNDS)),
            # As for payments.
            models.Index(fields=["created_at", "id"], name="refund_created"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["provider_ref"], condition=~Q(provider_ref=""), name="refund_provider_ref_once"
            ),
            models.CheckConstraint(condition=Q(state__in=RefundState.values), name="refund_state_known"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive"),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="refund_currency_iso"),
        ]

    def __str__(self) -> str:
        return f"refund {self.pk}: {self.state}"
