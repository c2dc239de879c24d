from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now


class TaskRate(models.Model):
    """How often a task may begin, over all workers. No row: as often as there is work. See :mod:`proj.jobs.ledger.rating`."""

    class Per(models.IntegerChoices):
        SECOND = 1, "second"
        MINUTE = 60, "minute"
        HOUR = 3600, "hour"

    task = models.TextField(primary_key=True)
    runs = models.PositiveIntegerField(validators=[MinValueValidator(1), MaxValueValidator(10_000)])
    per: Any = models.PositiveIntegerField(choices=Per, default=Per.MINUTE)
    reason = models.TextField()
    # Written by claims: when the next may begin, and up to when those that could not have been given a time.
    free_at = models.DateTimeField(db_default=Now(), editable=False)
    booked_until = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(runs__gt=0, per__gt=0), name="task_rate_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.task}: at most {self.runs:,} a {self.get_per_display()}"
