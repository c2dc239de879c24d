"""What happened to an order: the events people read, and the state of each background step."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from orders.states import Status, Step, StepState


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
    def unsettled(self) -> Self:
        """Neither succeeded nor cancelled: a run of the task may still say what became of it."""
        return self.exclude(state__in=[StepState.SUCCEEDED, StepState.CANCELLED])

    def running(self) -> Self:
        return self.filter(state=StepState.RUNNING)

    def end_with(self, status: Status, *, reason: str, moment: datetime) -> None:
        """Settle the steps of an order that ends early: the one that had begun failed, unless the order was
        called off, and those whose turn never came are cancelled.
        """
        steps = self.unsettled()
        if status != Status.CANCELLED:
            begun = steps.exclude(state__in=[StepState.QUEUED, StepState.FAILED])
            begun.update(state=StepState.FAILED, error=reason, finished_at=moment)
        steps.exclude(state=StepState.FAILED).update(state=StepState.CANCELLED, finished_at=moment)


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
