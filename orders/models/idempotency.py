from django.conf import settings
from django.db import models
from django.utils import timezone


class IdempotencyKey(models.Model):
    """That a customer's request was answered with an order, so that the same request gets the same answer."""

    customer = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="idempotency_keys")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of what was asked, in hex.")
    # Empty only within the transaction that places the order: the key is claimed before anything else is written.
    order = models.OneToOneField("orders.Order", models.CASCADE, null=True, related_name="idempotency_key")
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "key"], name="idempotency_key_once_per_customer"),
        ]

    def __str__(self) -> str:
        return self.key
