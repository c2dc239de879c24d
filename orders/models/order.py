import uuid
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from orders import locks, webhooks
from orders.errors import IllegalTransition
from orders.models.catalogue import MAX_AMOUNT, Product
from orders.models.journal import OrderEvent, OrderStep
from orders.states import CANCELLABLE, FINAL, LIVE, TRANSITIONS, Status

REASON_LENGTH = 500


class OrderQuerySet(models.QuerySet["Order"]):
    def of(self, customer_id: int) -> Self:
        return self.filter(customer_id=customer_id)

    def live(self) -> Self:
        return self.filter(status__in=LIVE)

    def unmoved_since(self, moment: datetime) -> Self:
        return self.filter(updated_at__lt=moment)

    def with_progress(self) -> Self:
        """Each order with its lines, steps and events: three more queries, however many orders."""
        return self.prefetch_related("lines", "steps", "events")


class Order(models.Model):
    """What a customer asked for, at the prices of that moment, and how far it has come."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="orders")
    status = models.CharField(max_length=16, choices=Status, default=Status.PLACED, editable=False)
    express = models.BooleanField(default=False)
    amount = models.BigIntegerField(help_text="Sum of the lines, in the currency's minor unit.")
    currency = models.CharField(max_length=3)
    payment_method = models.CharField(max_length=64, default="pm_card_visa")
    reason = models.CharField(
        max_length=REASON_LENGTH, blank=True, help_text="Why it ended early, for people."
    )
    placed_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(
        default=timezone.now, help_text="When it last moved, or was last set going again."
    )

    objects = OrderQuerySet.as_manager()

    class Meta:
        ordering = ["-placed_at", "-pk"]
        permissions = [
            ("cancel_order", "Can cancel orders of customers"),
            ("refund_order", "Can give money back to customers"),
        ]
        indexes = [
            models.Index(fields=["customer", "-placed_at"], name="order_customer_placed"),
            models.Index(fields=["-placed_at"], name="order_placed"),
            # What the sweep asks; finished orders, in time nearly all of them, are not in it.
            models.Index(
                fields=["updated_at"], name="order_live_unmoved", condition=Q(status__in=sorted(LIVE))
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=Status.values), name="order_status_known"),
            models.CheckConstraint(
                condition=Q(amount__gt=0, amount__lte=MAX_AMOUNT), name="order_amount_in_range"
            ),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="order_currency_iso"),
        ]

    def __str__(self) -> str:
        return f"order {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("orders:detail", args=[self.public_id])

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def is_cancellable(self) -> bool:
        return self.status in CANCELLABLE

    def transition_to(
        self, status: Status, *, actor: str, reason: str = "", detail: dict[str, Any] | None = None
    ) -> bool:
        """Move to `status` and write down that it happened: the only writer of an order's status.

        Needs an open transaction (without one Django refuses the lock). The stored status counts, not the
        one in memory, which is brought up to date. `actor` is who did it ("system", "customer:7"), `reason`
        a sentence for people, kept with the order when this ends it.
        Returns False, and writes nothing, if that is where the order already is.
        Raises IllegalTransition, and writes nothing, if the table does not allow it.
        """
        stored = Status(locks.lock_order(self.pk).status)
        self.status = stored
        if stored == status:
            return False
        if status not in TRANSITIONS[stored]:
            raise IllegalTransition(self.pk, stored, status)
        self.status = status
        self.updated_at = timezone.now()
        fields = ["status", "updated_at"]
        if status in FINAL:
            self.reason = reason[:REASON_LENGTH]  # a provider may say more than we keep; the event has it all
            fields.append("reason")
        self.save(update_fields=fields)
        self.note(status, actor=actor, from_status=stored, detail={**(detail or {}), "reason": reason})
        if status in FINAL and status != Status.COMPLETED:
            OrderStep.objects.filter(order=self).end_with(status, reason=reason, moment=self.updated_at)
        return True

    def note(
        self, kind: str, *, actor: str, from_status: str = "", detail: dict[str, Any] | None = None
    ) -> OrderEvent:
        """Write down something that happened to the order, and owe it to those who subscribed to it. Needs a transaction.

        Empty values in `detail` are left out.
        """
        kept = {key: value for key, value in (detail or {}).items() if value not in ("", None)}
        event = OrderEvent.objects.create(
            order=self, kind=kind, from_status=from_status, to_status=self.status, actor=actor, detail=kept
        )
        webhooks.tell(event)
        return event


class OrderLine(models.Model):
    """One product of an order. Sku, name and price are copies: the catalogue may change, the order may not."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.PROTECT, related_name="order_lines")
    sku = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    quantity = models.PositiveIntegerField()
    amount = models.BigIntegerField(help_text="Price of one, in the order's currency's minor unit.")

    class Meta:
        ordering = ["sku"]
        constraints = [
            models.UniqueConstraint(fields=["order", "product"], name="order_line_once_per_product"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="order_line_quantity_positive"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="order_line_amount_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.sku}"

    @property
    def total(self) -> int:
        """In the minor unit."""
        return self.quantity * self.amount
