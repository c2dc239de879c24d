"""Something that is done to many jobs, some each second, until all have had it or somebody stops it."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Operation(models.Model):
    """A retry, a cancellation or a burial of every job that met a condition when it was asked for.

    Carried out by the dispatcher, a bite each second: see :mod:`proj.jobs.carrying_out`.
    """

    class State(models.TextChoices):
        RUNNING = "running"
        STOPPED = "stopped"  # by a person, or because too many were dead again
        DONE = "done"

    id: Any = models.BigAutoField(primary_key=True)
    verb = models.TextField(help_text="retry, cancel or bury")
    selection = models.JSONField(help_text="Which jobs, as on the command line.")
    options = models.JSONField(default=dict, help_text="What the verb was told beside that.")
    command = models.TextField(help_text="The command line that does the same.")
    reason = models.TextField()
    per_second = models.PositiveIntegerField()
    most_dead = models.PositiveIntegerField(
        null=True, help_text="A retry stops by itself when so many of its jobs are dead again."
    )
    actor_id = models.BigIntegerField(null=True)
    actor = models.TextField()
    state = models.TextField(choices=State, default=State.RUNNING)
    expected = models.PositiveIntegerField(help_text="Jobs that were shown in the preview.")
    looked_at = models.PositiveIntegerField(default=0, help_text="Jobs that have had their turn.")
    counts = models.JSONField(default=dict, help_text="What became of them.")
    # Jobs created later are not meant; those up to the cursor have had their turn, whatever they are now.
    created_at = models.DateTimeField(db_default=Now())
    cursor_at = models.DateTimeField(null=True)
    cursor_id = models.TextField(default="", blank=True)
    advanced_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)
    outcome = models.TextField(default="", blank=True, help_text="How it ended, as a sentence.")

    class Meta:
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["advanced_at"], condition=Q(state="running"), name="operation_running"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} of {self.expected:,} jobs by {self.actor}"
