"""What happened to an order: the events people read, and the state of each background step."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from orders.states import Step, StepState


class OrderEvent(models.Model):
    """Written by `Order.transition_to` and `Order.note` only, never changed."""

    order = models.ForeignKey("orders.Order", models.CASCADE, related_name="events")
    kind = models.CharField(max_length=40)
    from_status = models.CharField(max_length=16, blank=True)
    to_status = models.CharField(max_length=16)
    actor = models.CharField(max_length=150)
    detail = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.kind} by {self.actor}"


class OrderStepQuerySet(models.QuerySet["OrderStep"]):
    def waiting(self) -> Self:
        """Not begun, or between two tries."""
        return self.filter(state__in=[StepState.QUEUED, StepState.RETRYING])

    def unsettled(self) -> Self:
        """Neither succeeded nor cancelled: a run of the task may still say what became of it."""
        return self.exclude(state__in=[StepState.SUCCEEDED, StepState.CANCELLED])


class OrderStep(models.Model):
    """How one background step of an order is doing, for people; no decision is taken from it.

    Written by `orders.steps.OrderTask` while the task runs.
    """

    order = models.ForeignKey("orders.Order", models.CASCADE, related_name="steps")
    name = models.CharField(max_length=20, choices=Step)
    state = models.CharField(max_length=12, choices=StepState, default=StepState.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0, help_text="1 on the first try.")
    task_id = models.CharField(max_length=155, blank=True, db_index=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)

    objects = OrderStepQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["order", "name"], name="order_step_once"),
            models.CheckConstraint(condition=Q(name__in=Step.values), name="order_step_name_known"),
            models.CheckConstraint(condition=Q(state__in=StepState.values), name="order_step_state_known"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"
