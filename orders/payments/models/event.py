"""What the provider told us by itself."""

from django.db import models
from django.db.models import Q
from django.utils import timezone


class EventState(models.TextChoices):
    RECEIVED = "received"  # stored, and a job is to look into it
    PROCESSED = "processed"  # what it is about has been fetched, and is settled as it is there
    IGNORED = "ignored"  # of a kind, or about a payment, that is none of ours
    FAILED = "failed"  # it speaks of a payment of ours that we do not have


class WebhookEvent(models.Model):
    """A hint from the provider that something has changed. Kept as it came; what counts is what is fetched then."""

    provider = models.CharField(max_length=32)
    event_id = models.CharField(max_length=255)
    kind = models.CharField(max_length=100)
    object_ref = models.CharField(
        max_length=255, blank=True, help_text="The provider's id of what it is about."
    )
    payload = models.JSONField()
    state = models.CharField(max_length=12, choices=EventState, default=EventState.RECEIVED)
    detail = models.CharField(max_length=500, blank=True, help_text="What came of it, for people.")
    created_at = models.DateTimeField(help_text="When the provider says it happened.")
    received_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["object_ref"], name="webhook_object"),
            models.Index(fields=["received_at"], name="webhook_received_at"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["provider", "event_id"], name="webhook_event_once"),
            models.CheckConstraint(condition=Q(state__in=EventState.values), name="webhook_state_known"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"
