from typing import Self

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from proj.hooks.models.endpoint import KIND_LENGTH, Endpoint


class State(models.TextChoices):
    PENDING = "pending", "on its way"
    DELIVERED = "delivered", "delivered"
    FAILED = "failed", "given up"


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def pending(self) -> Self:
        return self.filter(state=State.PENDING)

    def failed(self) -> Self:
        return self.filter(state=State.FAILED)


class Delivery(models.Model):
    """One event for one endpoint: written with the event, pending until the endpoint has taken it or it is given up."""

    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="deliveries", db_index=False)
    event_id = models.CharField(
        max_length=40, help_text="What the receiver sees as webhook-id, each time the same."
    )
    kind = models.CharField(max_length=KIND_LENGTH)
    body = models.TextField(help_text="What is sent and signed, to the byte.")
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    tries = models.PositiveSmallIntegerField(
        default=0, help_text="Failures since it was emitted or replayed."
    )
    due_at = models.DateTimeField(default=timezone.now, help_text="When it is tried next.")
    leased_until = models.DateTimeField(null=True, help_text="It is being sent; until then, by one only.")
    created_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True, help_text="Why it is given up, for people.")

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "deliveries"
        permissions = [("replay_delivery", "Can send deliveries again")]
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "event_id"], name="delivery_once"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="delivery_state_known"),
        ]
        indexes = [
            models.Index(fields=["endpoint", "-id"], name="delivery_of_endpoint"),
            models.Index(fields=["endpoint", "state", "-id"], name="delivery_by_state"),
            # Few rows: what waits for its turn, and what is being sent at this moment.
            models.Index(fields=["due_at"], name="delivery_pending", condition=Q(state=State.PENDING)),
            models.Index(
                fields=["leased_until"], name="delivery_leased", condition=Q(leased_until__isnull=False)
            ),
            models.Index(
                fields=["settled_at"], name="delivery_settled", condition=Q(settled_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"

    def get_absolute_url(self) -> str:
        return reverse("hooks:delivery", args=[self.endpoint.public_id, self.event_id])


class Attempt(models.Model):
    """One try of a delivery. Without an end, the process that made it has died, or is still at it."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="attempts")
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True, help_text="Of the answer; none without one.")
    error = models.CharField(max_length=300, blank=True, help_text="Why there is no answer, for people.")
    answer = models.CharField(max_length=1000, blank=True, help_text="How the answer's body began.")

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return str(self.status or self.error or "no outcome")

    @property
    def is_good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004  any 2xx

    @property
    def milliseconds(self) -> int | None:
        """How long it took."""
        return (
            None
            if self.finished_at is None
            else round((self.finished_at - self.started_at).total_seconds() * 1000)
        )
