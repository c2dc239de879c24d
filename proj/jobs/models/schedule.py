"""What there is to a schedule beyond django-celery-beat's own row."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django_celery_beat.models import PeriodicTask

from proj.jobs.misfires import Misfire


class Overlap(models.TextChoices):
    """What to do about a slot while an earlier run of the schedule has not ended."""

    ALLOW = "allow", "Run: both at once"
    SKIP = "skip", "Skip: the next run is the next time"
    QUEUE = "queue", "Wait: one run begins when the earlier one has ended, others are skipped"


class SchedulePolicy(models.Model):
    """What an admin decides about a schedule beyond its times. A schedule without a row goes by the defaults."""

    periodic_task = models.OneToOneField(
        PeriodicTask, models.CASCADE, primary_key=True, related_name="policy"
    )
    misfire = models.TextField(choices=Misfire, default=Misfire.LATEST)
    catch_up = models.PositiveSmallIntegerField(
        default=10, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    # Seconds. Longer than a beat takes to restart: whoever skips what was missed does not mean those runs.
    missed_after = models.PositiveIntegerField(default=10)
    overlap = models.TextField(choices=Overlap, default=Overlap.ALLOW)
    # Overlap.QUEUE: the slot that waits for the run before it to end. Written by the scheduler.
    waiting_slot = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name_plural = "schedule policies"
        permissions = [("run_schedule", "Can run a schedule now")]

    def __str__(self) -> str:
        return f"missed: {self.misfire}, overlapping: {self.overlap}"


class SkippedSlots(models.Model):
    """Slots in a row of a schedule that were not run, and why. What is not here was enqueued."""

    class Reason(models.TextChoices):
        MISSED = "missed", "beat was away"
        OVERLAP = "overlap", "an earlier run had not ended"
        EXPIRED = "expired", "the schedule had expired"
        RESTARTED = "restarted", "the schedule was set anew"

    periodic_task = models.ForeignKey(
        PeriodicTask, models.CASCADE, related_name="skipped_slots", db_index=False
    )
    reason = models.TextField(choices=Reason)
    first = models.DateTimeField()
    last = models.DateTimeField()
    size = models.PositiveIntegerField()

    class Meta:
        verbose_name_plural = "skipped slots"
        indexes = [
            models.Index(fields=["periodic_task", "last"], name="skipped_slots_of_schedule"),
            models.Index(fields=["last"], name="skipped_slots_last"),
        ]

    def __str__(self) -> str:
        return f"{self.size} from {self.first} to {self.last}: {self.get_reason_display()}"
