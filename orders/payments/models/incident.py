"""Where what we know and what the provider knows differ, until somebody has seen to it."""

from django.db import models
from django.db.models import Q
from django.utils import timezone


class IncidentKind(models.TextChoices):
    CAPTURE_UNSETTLED = "capture_unsettled", "captured at the provider, not settled here"
    CAPTURE_MISSING = "capture_missing", "paid here, not captured at the provider"
    CAPTURED_TWICE = "captured_twice", "captured more than once for one order"
    AMOUNT_DIFFERS = "amount_differs", "amounts or currencies differ"
    STRAY_CAPTURE = "stray_capture", "captured at the provider for no order of ours"
    REFUND_UNSETTLED = "refund_unsettled", "given back at the provider, not settled here"
    REFUND_MISSING = "refund_missing", "given back here, not at the provider"
    REFUND_FAILED = "refund_failed", "the provider refused a refund"
    ORDER_DIFFERS = "order_differs", "the order and its payment disagree"
    NOT_REFUNDED = "not_refunded", "ended unpaid, but the money was kept"
    JOURNAL_DIFFERS = "journal_differs", "the books and the payments disagree"
    STOCK_DIFFERS = "stock_differs", "reserved stock and live orders disagree"
    UNKNOWN_TOO_LONG = "unknown_too_long", "without an outcome for a day"
    EVENT_UNPLACED = "event_unplaced", "the provider speaks of a payment that we do not have"
    MISCONFIGURED = "misconfigured", "the provider refuses our requests"


class Incident(models.Model):
    """One difference. While it is open the same difference opens no second one: `fingerprint` says which it is."""

    kind = models.CharField(max_length=24, choices=IncidentKind)
    fingerprint = models.CharField(max_length=255, help_text="What it is about, such as order:42 or pi_...")
    order = models.ForeignKey(
        "orders.Order", models.SET_NULL, null=True, blank=True, related_name="incidents"
    )
    summary = models.CharField(max_length=500, help_text="What differs, as a sentence with figures.")
    detail = models.JSONField(default=dict, blank=True, help_text="Both sides, as they were read.")
    repair = models.CharField(
        max_length=500, blank=True, help_text="What would mend it, as a sentence; empty if only people can."
    )
    opened_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now, help_text="When it was last found.")
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=150, blank=True)
    outcome = models.CharField(max_length=500, blank=True, help_text="How it was closed.")

    class Meta:
        ordering = ["-pk"]
        permissions = [("resolve_incident", "Can repair and close incidents")]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "fingerprint"],
                condition=Q(closed_at=None),
                name="incident_open_once",
            ),
            models.CheckConstraint(condition=Q(kind__in=IncidentKind.values), name="incident_kind_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.fingerprint}"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None
