"""What the provider was asked to take."""

from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone


class AttemptState(models.TextChoices):
    SENT = "sent"  # stored before the provider is asked: from here on it may have been
    UNKNOWN = "unknown"  # asked, without an answer that says what happened: asked again with the same key
    SUCCEEDED = "succeeded"  # the money is captured
    DECLINED = "declined"  # refused for good; nothing is captured
    VOIDED = "voided"  # looked up after a long silence, and it is not there: nothing is captured


#: The provider may still be about to take the money.
OPEN = (AttemptState.SENT, AttemptState.UNKNOWN)
#: The provider has taken the money, or may have. An order has at most one such attempt, ever at one time.
LIVE = (*OPEN, AttemptState.SUCCEEDED)


class PaymentAttemptQuerySet(models.QuerySet["PaymentAttempt"]):
    def open(self) -> Self:
        return self.filter(state__in=OPEN)

    def live(self) -> Self:
        return self.filter(state__in=LIVE)


class PaymentAttempt(models.Model):
    """One question to the payment provider, with the key that makes asking it again harmless.

    What the provider is asked is copied here: a key must always go with the same parameters.
    """

    order = models.ForeignKey("orders.Order", models.PROTECT, related_name="payment_attempts")
    number = models.PositiveSmallIntegerField(help_text="1 for the first attempt of the order.")
    idempotency_key = models.CharField(max_length=255, unique=True)
    amount = models.BigIntegerField(help_text="In the currency's minor unit (pence, cents).")
    currency = models.CharField(max_length=3, help_text="ISO 4217.")
    payment_method = models.CharField(max_length=64)
    refunded = models.BigIntegerField(
        default=0, help_text="What has been given back, or is about to be, in the minor unit."
    )
    state = models.CharField(max_length=16, choices=AttemptState, default=AttemptState.SENT)
    provider_ref = models.CharField(max_length=255, blank=True, help_text="The provider's id, such as pi_...")
    error_code = models.CharField(max_length=64, blank=True)
    error_detail = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    objects = PaymentAttemptQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [
            # Who looks for payments without an answer asks this; answered ones, in time nearly all, are not in it.
            models.Index(fields=["updated_at"], name="payment_open", condition=Q(state__in=OPEN)),
            # Reconciliation reads a span of time in this order, a batch after the other.
            models.Index(fields=["created_at", "id"], name="payment_created"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["order", "number"], name="payment_number_once_per_order"),
            models.UniqueConstraint(
                fields=["order"], condition=Q(state__in=LIVE), name="payment_one_live_per_order"
            ),
            models.UniqueConstraint(
                fields=["provider_ref"], condition=~Q(provider_ref=""), name="payment_provider_ref_once"
            ),
            models.CheckConstraint(condition=Q(state__in=AttemptState.values), name="payment_state_known"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            # Raised in the transaction that asks for a refund, so two at the same time cannot exceed it either.
            models.CheckConstraint(
                condition=Q(refunded=0) | Q(refunded__gt=0, refunded__lte=F("amount"), state="succeeded"),
                name="payment_refunded_at_most_captured",
            ),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="payment_currency_iso"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of order {self.order_id}: {self.state}"

    @property
    def refundable(self) -> int:
        """What may still be given back, in the minor unit."""
        return self.amount - self.refunded if self.state == AttemptState.SUCCEEDED else 0
