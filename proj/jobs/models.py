"""What is owed. A row here is work that somebody was promised; a finished job has no row, but a result."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django_celery_beat.models import PeriodicTask

from proj.jobs.misfires import Misfire


class State(models.TextChoices):
    QUEUED = "queued"  # waits for its time, for the bell, or for a worker
    RUNNING = "running"  # claimed by a worker
    DEAD = "dead"  # failed for good; kept whole, so that it can be replayed


class Job(models.Model):
    """One task message that is owed an outcome. Written by :mod:`proj.jobs.ledger` alone."""

    id = models.TextField(primary_key=True)  # the Celery task id
    task = models.TextField()
    queue = models.TextField()
    priority = models.SmallIntegerField()
    message = models.JSONField()  # exactly what is published: headers, properties, body
    subject = models.TextField(default="", blank=True)  # what the job is about, such as "order:42"
    state = models.TextField(choices=State, default=State.QUEUED)
    attempt = models.IntegerField(default=0)  # how often it was claimed: the fence
    available_at = models.DateTimeField(db_default=Now())
    # When the bell was rung for it. Null: it is still to be rung, now or at available_at.
    published_at = models.DateTimeField(null=True)
    losses = models.IntegerField(default=0)  # how often its claimant was gone before it ended
    claimed_at = models.DateTimeField(null=True)
    claimed_by = models.IntegerField(null=True)  # the PostgreSQL backend that serves the claimant
    worker = models.TextField(default="", blank=True)
    deadline = models.DateTimeField(null=True)  # when even a claimant that looks alive has lost its claim
    cancel_requested = models.BooleanField(default=False)
    progress = models.JSONField(null=True)  # {"state": ..., "meta": ...} of the running attempt
    error = models.TextField(default="", blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        # Each is what one question of the dispatcher or of an operator reads; together they hold a row only
        # while it is in that state.
        indexes = [
            models.Index(
                fields=["available_at"],
                condition=Q(state="queued", published_at=None),
                name="job_due",
            ),
            models.Index(
                fields=["queue", "published_at"],
                condition=Q(state="queued", published_at__isnull=False),
                name="job_published",
            ),
            models.Index(fields=["queue", "claimed_by"], condition=Q(state="running"), name="job_running"),
            models.Index(fields=["-created_at"], condition=Q(state="dead"), name="job_dead"),
            models.Index(
                fields=["-created_at"],
                condition=Q(state="queued") & ~Q(error=""),
                name="job_retrying",
            ),
            models.Index(fields=["subject"], condition=~Q(subject=""), name="job_subject"),
            # The order of every list: at a million jobs 1 ms instead of 400. What it costs a job to be recorded, claimed and
            # finished is too little to be measured.
            models.Index(fields=["-created_at"], name="job_newest"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=State.values), name="job_state_known"),
            models.CheckConstraint(condition=Q(attempt__gte=0), name="job_attempt_counts_up"),
        ]
        permissions = [("operate_job", "Can retry, cancel and bury jobs")]

    def __str__(self) -> str:
        return f"{self.task}[{self.id}]"


class Chord(models.Model):
    """A chord whose body has not been enqueued yet."""

    id = models.TextField(primary_key=True)  # the group id of the header
    size = models.IntegerField(null=True)  # header tasks; null until Celery has counted them
    added = models.IntegerField(default=0)  # header tasks that joined while the chord ran
    done = models.IntegerField(default=0)
    # The tree of the header's results; null when it is only a list.
    structure = models.TextField(null=True)  # noqa: DJ001
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"chord {self.id}: {self.done} of {self.size}"


class ChordPart(models.Model):
    """The outcome of one header task, until the body takes it."""

    chord = models.ForeignKey(Chord, models.CASCADE, related_name="parts", db_index=False)
    task_id = models.TextField()
    position = models.FloatField(null=True)  # its place in the header; null: at the end
    outcome = models.TextField()  # [state, result], as the result backend encodes it

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chord", "task_id"], name="chord_part_once"),
        ]

    def __str__(self) -> str:
        return f"{self.task_id} of {self.chord_id}"


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
