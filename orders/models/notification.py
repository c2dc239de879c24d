from typing import Self

from django.db import models
from django.db.models import Q


class NotificationKind(models.TextChoices):
    FULFILLED = "fulfilled", "the goods are on their way"
    PAID = "paid", "the payment has arrived"
    PAYMENT_FAILED = "payment_failed", "the payment was declined"
    REFUNDED = "refunded", "money goes back"


class NotificationQuerySet(models.QuerySet["Notification"]):
    def settled(self) -> Self:
        """Sent, or known to be impossible to send."""
        return self.exclude(sent_at=None, error="")


class Notification(models.Model):
    """A message to the customer about one event of an order. The row is the claim: without it nothing is sent, and once
    sent nothing is sent again.
    """

    order = models.ForeignKey("orders.Order", models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=20, choices=NotificationKind)
    reference = models.CharField(
        max_length=64, blank=True, help_text="Which one, of an event that can happen more than once."
    )
    recipient = models.EmailField(blank=True)
    claimed_at = models.DateTimeField(null=True, help_text="When somebody last began to send it.")
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True, help_text="Why it can never be sent.")

    objects = NotificationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "kind", "reference"], name="notification_once"),
            models.CheckConstraint(
                condition=Q(kind__in=NotificationKind.values), name="notification_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} for order {self.order_id}"

    @property
    def is_settled(self) -> bool:
        """Sent, or known to be impossible to send."""
        return self.sent_at is not None or self.error != ""
