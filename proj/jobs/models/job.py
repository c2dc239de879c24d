"""What is owed. A row here is work that somebody was promised; a finished job has no row, but a result."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


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
    attempts = models.JSONField(null=True)  # how those before this one ended: see proj.jobs.ledger.attempts
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
                fields=["queue", "available_at"],
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
