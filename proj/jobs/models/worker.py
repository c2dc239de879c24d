from django.db import models
from django.db.models.functions import Now


class Worker(models.Model):
    """A worker, as it last told of itself. One that has not for a while is gone: see :mod:`proj.jobs.attendance`."""

    hostname = models.TextField(primary_key=True)
    queues = models.JSONField(help_text="What it was started for.")
    takes = models.JSONField(help_text="What it takes from now: those that are not paused.")
    pool = models.TextField()
    size = models.PositiveIntegerField(help_text="Jobs at once.")
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.hostname
